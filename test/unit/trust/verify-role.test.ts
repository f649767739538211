import fc from 'fast-check';
import { describe, it, expect } from 'vitest';
import { openDocument } from '../../../agent/trust/open-document.ts';
import { tallySignatures, verifyRole } from '../../../agent/trust/verify-role.ts';
import { encodeDocument, signDocument } from '../../../agent/wire/document.ts';
import { encodeEnvelope, parseEnvelope, type Envelope, type Signer } from '../../../agent/wire/dsse.ts';
import { DOCUMENTS } from '../../../agent/wire/schemas/payload-types.ts';
import { ROLES, type Role } from '../../../agent/wire/schemas/root.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeTrust, SITE, signerFrom } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const { root } = trust.root;
const key = (name: string): Signer => trust.keys[name]!;
const policyBy = (...signers: Signer[]): Envelope => signDocument('sitePolicy', trust.policy(), signers);

describe('a threshold', () => {
  it('counts persons: two of three operators suffice, and are named sorted', () => {
    const envelope = policyBy(key('operator:carol'), key('operator:alice'));
    expect(verifyRole(root, 'operator', envelope).persons).toEqual(['alice', 'carol']);
  });
  it('is not met by one person with two keys', () => {
    const again = signerFrom('again');
    const bent = makeTrust({
      change(r) {
        r.keys.push({ keyid: again.keyid, spki: again.spki, person: 'alice' });
        r.roles.operator.keyids.push(again.keyid);
      },
    }).root.root;
    const envelope = policyBy(key('operator:alice'), again);
    expect(tallySignatures(bent, 'operator', envelope).keyids).toHaveLength(2);
    expectCode(() => verifyRole(bent, 'operator', envelope), 'threshold_not_met');
  });
  it('is not met by one signature that stands twice, even in an envelope that was never parsed', () => {
    const once = policyBy(key('operator:alice'));
    const twice = { ...once, signatures: [...once.signatures, ...once.signatures] };
    expectCode(() => verifyRole(root, 'operator', twice), 'threshold_not_met');
    expectCode(() => openDocument(root, 'operator', 'sitePolicy', encodeEnvelope(twice)), 'envelope_invalid');
  });
  it('can be raised by the caller and never lowered', () => {
    const two = policyBy(key('operator:alice'), key('operator:bob'));
    expectCode(() => verifyRole(root, 'operator', two, { threshold: 3 }), 'threshold_not_met');
    expectCode(
      () => verifyRole(root, 'operator', policyBy(key('operator:alice')), { threshold: 1 }),
      'threshold_not_met',
    );
  });
  it('is not met by revoked keys', () => {
    const envelope = policyBy(key('operator:alice'), key('operator:bob'));
    const bob = { revokedKeyids: new Set([key('operator:bob').keyid]) };
    expectCode(() => verifyRole(root, 'operator', envelope, bob), 'threshold_not_met');
    const both = { revokedKeyids: new Set([key('operator:alice').keyid, key('operator:bob').keyid]) };
    expectCode(() => verifyRole(root, 'operator', envelope, both), 'signature_invalid');
  });
});

describe('a keyid', () => {
  it('decides nothing: a stranger under the keyid of an operator counts for nothing', () => {
    const imposter = { ...signerFrom('stranger'), keyid: key('operator:bob').keyid };
    expectCode(() => verifyRole(root, 'operator', policyBy(key('operator:alice'), imposter)), 'threshold_not_met');
  });
  it('of another operator over a valid signature counts for nothing: the signature is tried under the key it names', () => {
    const swapped = [
      { ...key('operator:alice'), keyid: key('operator:bob').keyid },
      { ...key('operator:bob'), keyid: key('operator:alice').keyid },
    ];
    expectCode(() => verifyRole(root, 'operator', policyBy(...swapped)), 'signature_invalid');
  });
  it('that the role does not have is passed over, and spoils nothing', () => {
    const signers = [signerFrom('stranger'), key('order'), key('operator:alice'), key('operator:bob')];
    expect(verifyRole(root, 'operator', policyBy(...signers)).persons).toEqual(['alice', 'bob']);
  });
  it('of an operator with a wrong signature is passed over, and spoils nothing', () => {
    const wrong = { ...key('operator:carol'), sign: () => Buffer.alloc(64, 7) };
    expect(verifyRole(root, 'operator', policyBy(wrong, key('operator:alice'), key('operator:bob'))).persons).toEqual([
      'alice',
      'bob',
    ]);
  });
});

describe('a key that is limited to sites', () => {
  const limited = makeTrust({
    change(r) {
      for (const k of r.keys) if (k.keyid === key('operator:bob').keyid) k.sites = [SITE, 'side-street'];
    },
  }).root.root;
  const envelope = policyBy(key('operator:alice'), key('operator:bob'));
  it('counts for a site that it names', () => {
    expect(verifyRole(limited, 'operator', envelope, { siteId: SITE }).persons).toEqual(['alice', 'bob']);
  });
  it('does not count for another site, and not where no site is named', () => {
    expectCode(() => verifyRole(limited, 'operator', envelope, { siteId: 'elsewhere' }), 'threshold_not_met');
    expectCode(() => verifyRole(limited, 'operator', envelope), 'threshold_not_met');
    expect(tallySignatures(limited, 'operator', envelope).outOfScope).toEqual([key('operator:bob').keyid]);
  });
});

describe('a signature', () => {
  it('of one role is worth nothing for any other role', () => {
    for (const signing of ROLES) {
      const envelope = signDocument('sitePolicy', trust.policy(), trust.signersOf(signing));
      for (const asked of ROLES as readonly Role[]) {
        if (asked === signing) expect(verifyRole(root, asked, envelope).persons.length).toBeGreaterThan(0);
        else expectCode(() => verifyRole(root, asked, envelope), 'signature_invalid');
      }
    }
  });
  it('over one document type is worth nothing when the envelope names another', () => {
    const payload = encodeDocument('sitePolicy', trust.policy());
    const line = trust.signRaw(DOCUMENTS.contentList.payloadType, payload, ...trust.signersOf('operator'));
    const bent = line.replace('content-list', 'site-policy');
    expect(parseEnvelope(bent, { maxBytes: 1e6 }).payloadType).toBe(DOCUMENTS.sitePolicy.payloadType);
    expectCode(() => openDocument(root, 'operator', 'sitePolicy', bent), 'signature_invalid');
    expectCode(() => openDocument(root, 'operator', 'sitePolicy', line), 'payload_type_mismatch');
  });
});

describe('an opened document', () => {
  const line = trust.sign('sitePolicy', trust.policy());
  it('is parsed from the very bytes that verified', () => {
    const opened = openDocument(root, 'operator', 'sitePolicy', line);
    expect(opened.value).toEqual(trust.policy());
    expect(opened.payload).toEqual(encodeDocument('sitePolicy', trust.policy()));
    expect(opened.line).toBe(line);
    expect(openDocument(root, 'operator', 'sitePolicy', parseEnvelope(line, { maxBytes: 1e6 }))).toEqual(opened);
  });
  it('is not parsed at all when its signatures do not suffice: the schema error of its payload stays unsaid', () => {
    const bad = trust.signUnchecked('sitePolicy', { anything: 1 }, signerFrom('stranger'));
    expectCode(() => openDocument(root, 'operator', 'sitePolicy', bad), 'signature_invalid');
    const signed = trust.signUnchecked('sitePolicy', { anything: 1 });
    expectCode(() => openDocument(root, 'operator', 'sitePolicy', signed), 'schema_invalid');
  });
  it('never opens after any byte of its payload was changed', () => {
    const parts = JSON.parse(line) as { payload: string };
    const payload = Buffer.from(parts.payload, 'base64');
    fc.assert(
      fc.property(fc.nat(payload.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const bent = Buffer.from(payload);
        bent[at]! ^= mask;
        const bentLine = JSON.stringify({ ...parts, payload: bent.toString('base64') });
        expectCode(() => openDocument(root, 'operator', 'sitePolicy', bentLine), 'signature_invalid');
      }),
    );
  });
});
