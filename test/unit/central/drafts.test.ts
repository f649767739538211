import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeDocument } from '../../../agent/wire/document.ts';
import { generateEd25519, verifyWithNode } from '../../../agent/wire/node-signature.ts';
import { pae } from '../../../agent/wire/dsse.ts';
import { describeAuthorisation, describePartner, describeRoot } from '../../../central/cli/describe-draft.ts';
import { readDraft, shown, signDraft, writeDraft } from '../../../central/cli/draft-file.ts';
import { CA_1, CA_2, CA_2_AGAIN, CA_3 } from '../../../tools/vectors/ca-certificates.ts';
import { partnerFile } from '../../support/partner-fixtures.ts';
import { DISRUPTIVE_RUNBOOK, makeTrust, NOW } from '../../support/trust-fixtures.ts';

const dir = mkdtempSync(join(tmpdir(), 'drafts-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const trust = makeTrust();

type Path = readonly (string | number)[];

/** The paths of all single values in a document. */
function leaves(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, one]) => leaves(one, [...path, key]));
}

/** A copy with another value of the same type at one place. */
function changed<T>(value: T, path: Path): T {
  const copy = structuredClone(value);
  let at = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  const last = path.at(-1)!;
  at[last] = typeof at[last] === 'number' ? at[last] + 1 : `${String(at[last])}x`;
  return copy;
}

describe('what people read before they sign', () => {
  it('differs wherever two trust roots differ', () => {
    const [first, ...others] = trust.root.root.keys;
    const root = {
      ...trust.root.root,
      keys: [{ ...first!, sites: ['here', 'there'] }, ...others],
      single_approver: { delay_s: 3_600 },
      past_keys: [
        {
          ...{ role: 'witness', keyid: 'ab'.repeat(32), spki: first!.spki },
          valid_from: 1,
          valid_until: 2,
          status: 'retired',
        },
      ] as (typeof trust.root.root)['past_keys'],
    };
    // The schema is one for all; a keyid is the digest of its SPKI.
    const paths = leaves(root).filter((path) => path[0] !== 'schema' && path.at(-1) !== 'spki');
    expect(paths.length).toBeGreaterThan(50);
    const same = paths.filter((path) => describeRoot(changed(root, path)) === describeRoot(root));
    expect(same).toEqual([]);
  });

  it('differs wherever two partner documents differ', () => {
    const { partner } = partnerFile({
      change: { claim_url: 'https://claim.example/c', install: { disk: 'nvme0n1', reinstall: 'yes' } },
    });
    const paths = leaves(partner).filter((path) => path[0] !== 'schema');
    expect(paths.length).toBeGreaterThan(10);
    const same = paths.filter((path) => describePartner(changed(partner, path)) === describePartner(partner));
    expect(same).toEqual([]);
    expect(describePartner({ ...partner, install: {} })).not.toBe(describePartner(partner));
  });

  it('names each CA of a trust root by the pin of its key and the digest of its certificate', () => {
    const of = (...cas: string[]) => describeRoot({ ...trust.root.root, central_cas: cas });
    const pin = new X509Certificate(Buffer.from(CA_2, 'base64')).publicKey.export({ type: 'spki', format: 'der' });
    expect(of(CA_1, CA_2)).toContain(createHash('sha256').update(pin).digest('hex'));
    const texts = [of(CA_1, CA_2), of(CA_2, CA_1), of(CA_1, CA_2_AGAIN), of(CA_1, CA_2, CA_3), of(CA_1, `${CA_2}AAAA`)];
    expect(new Set([...texts, of(CA_1, 'AAAA'), of(CA_1, 'AAAB'), describeRoot(trust.root.root)]).size).toBe(8);
  });

  it('differs wherever two authorisations differ', () => {
    const value = trust.authorisation({
      kind: 'run_runbook',
      runbook: DISRUPTIVE_RUNBOOK,
      params: { a: { b: ['c', 1] } },
      targets: [{ id: 'dc-1', pinned_identity: 'S-1-5-21-1-2-3' }],
      window: { mode: 'override', reason: 'the disk fails' },
      issued_at: NOW,
    });
    const paths = leaves(value).filter((path) => path[0] !== 'schema' && path.join('.') !== 'window.mode');
    const same = paths.filter((path) => describeAuthorisation(changed(value, path)) === describeAuthorisation(value));
    expect(same).toEqual([]);
    const inside = describeAuthorisation({ ...value, window: { mode: 'require' } });
    expect(inside).toContain('inside the maintenance window');
  });

  it('holds no character that moves the cursor or turns text round', () => {
    const value = trust.authorisation({ params: { note: 'a\u009b2K\u001b[1A\u202eb\u2066c\u200bd\u2028e' } });
    const text = shown(describeAuthorisation(value));
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(text).toContain('a\\u{9b}2K\\u001b[1A\\u{202e}b');
  });
});

describe('a signature on a draft', () => {
  it('takes the place of what somebody else put there under the same keyid', () => {
    const path = join(dir, 'draft.json');
    writeDraft(path, 'authorisation', encodeDocument('authorisation', trust.authorisation({})));
    const { signer } = generateEd25519();
    const planted = {
      ...readDraft(path, 'authorisation'),
      signatures: [{ keyid: signer.keyid, sig: Buffer.alloc(64) }],
    };
    signDraft(path, planted, { person: 'alice', signer });
    const { payload, payloadType, signatures } = readDraft(path, 'authorisation');
    expect(signatures).toHaveLength(1);
    expect(verifyWithNode(signer.spki, pae(payloadType, payload), signatures[0]!.sig)).toBe(true);
    const once = readFileSync(path, 'utf8');
    signDraft(path, readDraft(path, 'authorisation'), { person: 'alice', signer });
    expect(readFileSync(path, 'utf8')).toBe(once);
  });
});
