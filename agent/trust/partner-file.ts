// partner.json: all that an installer carries for one partner, in one file (docs/formats/partner.md). The signed document says where
// Central Command is and how to recognise it; the trust root and the CA certificates beside it are named in it by digest and pin.
import { X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { encodeEnvelope, envelopeFromEmbedded, toEmbedded, type Envelope } from '../wire/dsse.ts';
import { keyidOf } from '../wire/keys.ts';
import { embeddedEnvelope, pemCertificates } from '../wire/schemas/primitives.ts';
import type { Partner } from '../wire/schemas/root.ts';
import { parseStrict } from '../wire/strict-json.ts';
import { openDocument } from './open-document.ts';
import { parseRoot, type PinnedRoot } from './root.ts';

/** A root of 262,144 bytes in base64, the signed document, the certificates. */
const MAX_FILE_BYTES = 450_000;
const MAX_CA_CHARS = 65_536;

const fileSchema = v.strictObject({
  schema: v.literal('compliance-agent/partner-file/v1'),
  /** The envelope of a `partner` document. */
  partner: embeddedEnvelope,
  /** The envelope of the trust root that it names. */
  root: embeddedEnvelope,
  /** CA certificates; at least one has a pinned key. */
  ca_pem: pemCertificates(MAX_CA_CHARS),
});

export interface OpenedPartner {
  readonly partner: Partner;
  readonly root: PinnedRoot;
  readonly caPem: string;
  /** Hex SHA-256 of the signed document. */
  readonly digest: string;
  /** Who signed it, sorted. */
  readonly persons: readonly string[];
}

/**
 * Reads a partner's file and requires that it fits together: signed under the root threshold of the trust root in it, which is the
 * one that it names, with a certificate under one of its pins. That it is the *right* partner's only `rootSha256` can say.
 *
 * @throws json_too_large | json_not_strict | json_too_deep | schema_invalid (place: file and JSON path); the errors of parseRoot and
 *   openDocument; partner_invalid
 */
export function openPartnerFile(text: string, o: { rootSha256?: string | undefined; place: string }): OpenedPartner {
  const file = readFields(text, o.place);
  const rootPlace = `${o.place}: root`;
  const line = encodeEnvelope(envelopeFromEmbedded(file.root, rootPlace));
  const root = parseRoot(line, { expectedDigest: o.rootSha256, place: rootPlace });
  const place = `${o.place}: partner`;
  const {
    value: partner,
    digest,
    persons,
  } = openDocument(root.root, 'root', 'partner', envelopeFromEmbedded(file.partner, place), { place });
  const problem = contradiction(partner, root, file.ca_pem);
  if (problem !== null) throw new AgentError('partner_invalid', problem.what, { place: `${o.place}: ${problem.path}` });
  return { partner, root, caPem: file.ca_pem, digest, persons };
}

/** The file's text, one line. @throws what openPartnerFile throws: nothing is written that could not be read */
export function encodePartnerFile(
  parts: { readonly partner: Envelope; readonly root: Envelope; readonly caPem: string },
  place: string,
): string {
  const text = JSON.stringify({
    schema: 'compliance-agent/partner-file/v1',
    partner: toEmbedded(parts.partner),
    root: toEmbedded(parts.root),
    ca_pem: parts.caPem,
  });
  openPartnerFile(text, { place });
  return `${text}\n`;
}

function readFields(text: string, place: string): v.InferOutput<typeof fileSchema> {
  const value = parseStrict(Buffer.from(text.trim()), { maxBytes: MAX_FILE_BYTES, place });
  const result = v.safeParse(fileSchema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = v.getDotPath(issue)?.slice(0, 80) ?? '';
  throw new AgentError('schema_invalid', `does not fit: expected ${issue.expected ?? issue.message}`, {
    place: path === '' ? place : `${place}: ${path}`,
    details: { document: 'partner-file', path },
  });
}

function contradiction(
  partner: Partner,
  { root, digest }: PinnedRoot,
  caPem: string,
): { path: string; what: string } | null {
  if (partner.root_sha256 !== digest) {
    return { path: 'partner.root_sha256', what: `it names another trust root than the one beside it, ${digest}` };
  }
  if (partner.partner_id !== root.partner_id) {
    return { path: 'partner.partner_id', what: `the trust root is of ${root.partner_id}` };
  }
  if (new Set(partner.ca_pins).size !== partner.ca_pins.length) {
    return { path: 'partner.ca_pins', what: 'a pin stands twice' };
  }
  let certificates: X509Certificate[];
  try {
    certificates = (caPem.match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g) ?? []).map(
      (pem) => new X509Certificate(pem),
    );
  } catch {
    return { path: 'ca_pem', what: 'a certificate cannot be read' };
  }
  if (!certificates.every(({ ca }) => ca)) return { path: 'ca_pem', what: 'a certificate is not that of a CA' };
  const pins = certificates.map(({ publicKey }) =>
    keyidOf(publicKey.export({ type: 'spki', format: 'der' }).toString('base64')),
  );
  if (!pins.some((pin) => partner.ca_pins.includes(pin))) {
    return { path: 'ca_pem', what: 'no certificate has a key that ca_pins names' };
  }
  return null;
}
