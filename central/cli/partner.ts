import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { CODES } from '../../agent/errors/codes.ts';
import { encodePartnerFile } from '../../agent/trust/partner-file.ts';
import { encodeDocument, maxLineBytes, parseDocument } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import { partnerSchema, type Partner } from '../../agent/wire/schemas/root.ts';
import { backupCa, caInUse } from '../service/ca-in-use.ts';
import { describePartner } from './describe-draft.ts';
import { readDraft, writeDraft } from './draft-file.ts';
import { print, type Common } from './output.ts';
import { signDraftFile, type SignOptions } from './sign-draft.ts';
import { withRecords, type WithData } from './with-records.ts';

interface DraftOptions extends Common, WithData {
  readonly out: string;
  readonly recipient: readonly string[];
  readonly product: string;
  readonly support: string;
  readonly url?: string;
  readonly claimUrl?: string;
  readonly disk?: string;
  readonly reinstall?: boolean;
}

/** Addresses, pins and the root are Central Command's own; nobody types them. */
export async function draft(o: DraftOptions): Promise<void> {
  await withRecords(o, ({ store, trust, now }) => {
    const url = (o.url ?? store.setting('public_url'))?.replace(/\/+$/, '');
    if (url === undefined) throw new AgentError('central_url_unknown', 'the address of Central Command is not known');
    const { root, digest } = trust.root();
    const install = {
      ...(o.disk === undefined ? {} : { disk: o.disk }),
      ...(o.reinstall === true ? { reinstall: 'yes' as const } : {}),
    };
    const partner: Partner = {
      schema: 'compliance-agent/partner/v1',
      partner_id: root.partner_id,
      version: Number(store.setting('partner_file_version') ?? 0) + 1,
      issued_at: now(),
      central_url: url,
      ca_pins: [caInUse(resolve(o.data), store).pin, backupCa(store).pin],
      root_sha256: digest,
      recovery_recipients: [...o.recipient],
      branding: { product: o.product, support: o.support },
      ...(o.claimUrl === undefined ? {} : { claim_url: o.claimUrl }),
      ...(Object.keys(install).length === 0 ? {} : { install }),
    };
    refuseMistyped(partner);
    writeDraft(o.out, 'partner', encodeDocument('partner', partner));
    store.setSetting('partner_file_version', String(partner.version));
    print(
      o,
      { version: partner.version, root_sha256: digest, draft: o.out },
      [
        describePartner(partner),
        `draft in ${o.out}: holders of root keys run central-command partner sign ${o.out}`,
      ].join('\n'),
    );
  });
}

export const sign = (file: string, o: SignOptions): Promise<void> =>
  signDraftFile(
    file,
    { name: 'partner', role: 'root', describe: describePartner, named: ({ version }) => ({ version }) },
    o,
  );

/** The one file that an image is built with. Refused unless an installer will take it. */
export async function write(file: string, o: Common & WithData & { readonly out: string }): Promise<void> {
  await withRecords(o, ({ store, trust }) => {
    const partner = readDraft(file, 'partner');
    const named = parseDocument('partner', partner.payload, file).root_sha256;
    const pinned = [trust.root(), ...trust.earlierRoots()].find(({ digest }) => digest === named);
    if (pinned === undefined) {
      throw new AgentError('partner_invalid', 'it names a trust root that is not of this Central Command', {
        place: file,
      });
    }
    const root = parseEnvelope(pinned.line, { maxBytes: maxLineBytes('root') });
    const backup = backupCa(store);
    const caPem = caInUse(resolve(o.data), store).caPem + (backup.pem ?? '');
    const text = encodePartnerFile({ partner, root, caPem }, file);
    try {
      writeFileSync(o.out, text, { flag: 'wx' });
    } catch (cause) {
      throw new AgentError('draft_unwritable', 'the file cannot be written', { place: o.out, cause });
    }
    const warnings = backup.pem === null ? (['backup_certificate_missing'] as const) : [];
    print(
      o,
      { out: resolve(o.out), root_sha256: pinned.digest, warnings },
      [
        `${resolve(o.out)} written; build the image with it and with the digest ${pinned.digest} of the trust root`,
        ...warnings.map((code) => `${code}: ${CODES[code].when}`),
      ].join('\n'),
    );
  });
}

/** Names the option that is wrong. @throws usage */
function refuseMistyped(partner: Partner): void {
  const { entries } = partnerSchema;
  const checks: readonly [string, boolean][] = [
    ['--url is no plain https:// address', v.is(entries.central_url, partner.central_url)],
    [
      '--recipient is no age recipient (age1…, as age-keygen prints it)',
      v.is(entries.recovery_recipients, partner.recovery_recipients),
    ],
    ['--product and --support are lines of at most 60 and 120 characters', v.is(entries.branding, partner.branding)],
    ['--claim-url is no https:// address of at most 200 characters', v.is(entries.claim_url, partner.claim_url)],
    ['--disk is no kernel name or serial number of a disk', v.is(entries.install, partner.install)],
  ];
  for (const [sentence, isRight] of checks) if (!isRight) throw new AgentError('usage', sentence);
}
