// Vectors of partner.json: whole files, and what must come of each under the digest of the trust root that the reader was given.
import { X509Certificate } from 'node:crypto';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import { CA_1, CA_2, CA_3, LEAF } from './ca-certificates.ts';
import { ROOT, PARTNER_DOCUMENT } from './samples-trust.ts';
import { envelope, hexDigest, vectorKey } from './signing.ts';

const vendor = (name: string): string => `application/vnd.compliance-agent.${name}+json`;
const certificate = (der: string): X509Certificate => new X509Certificate(Buffer.from(der, 'base64'));
const pemOf = (...ders: string[]): string => ders.map((der) => certificate(der).toString()).join('');
const pinOf = (der: string): string => hexDigest(certificate(der).publicKey.export({ type: 'spki', format: 'der' }));
const signed = (type: string, value: object, ...keys: string[]): object =>
  envelope(vendor(type), JSON.stringify(value), keys.map(vectorKey));

const ROOT_SHA256 = hexDigest(JSON.stringify(ROOT));
const DOCUMENT = { ...PARTNER_DOCUMENT, ca_pins: [pinOf(CA_1), pinOf(CA_2)], root_sha256: ROOT_SHA256 };
const OTHER_ROOT = { ...ROOT, version: 4 };

interface Parts {
  readonly document?: object;
  readonly signers?: readonly string[];
  readonly root?: object;
  readonly ca?: string;
}
const file = ({
  document = DOCUMENT,
  signers = ['root-a', 'root-b'],
  root = ROOT,
  ca = pemOf(CA_1, CA_2),
}: Parts = {}) => ({
  schema: 'compliance-agent/partner-file/v1',
  partner: signed('partner', document, ...signers),
  root: signed('root', root, 'root-a', 'root-b'),
  ca_pem: ca,
});
const text = (parts?: Parts): string => JSON.stringify(file(parts));

export function partnerFileVectors(): object {
  const whole = text();
  const cases: [name: string, text: string, expect: 'ok' | ErrorCode][] = [
    ['as Central Command writes it', `${whole}\n`, 'ok'],
    ['with a byte order mark before it and white space behind it', `\ufeff${whole}\r\n \n`, 'ok'],
    ['with the spare CA alone', text({ ca: pemOf(CA_2) }), 'ok'],
    ['with a CA that no pin names beside one that is named', text({ ca: pemOf(CA_1, CA_3) }), 'ok'],
    ['a space in it', whole.replace('{"schema"', '{ "schema"'), 'json_not_strict'],
    ['an unknown field', JSON.stringify({ ...file(), extra: 1 }), 'schema_invalid'],
    ['a later version', whole.replace('partner-file/v1', 'partner-file/v2'), 'schema_invalid'],
    ['no certificate', text({ ca: '' }), 'schema_invalid'],
    [
      'the document where the root belongs',
      JSON.stringify({ ...file(), root: file().partner }),
      'payload_type_mismatch',
    ],
    ['another root, signed by the same people', text({ root: OTHER_ROOT }), 'root_digest_mismatch'],
    ['signed by one of two persons', text({ signers: ['root-a'] }), 'threshold_not_met'],
    ['signed by operators', text({ signers: ['operator-a', 'operator-b'] }), 'signature_invalid'],
    [
      'a document that names another root',
      text({ document: { ...DOCUMENT, root_sha256: hexDigest('x') } }),
      'partner_invalid',
    ],
    [
      'a document of another partner',
      text({ document: { ...DOCUMENT, partner_id: 'southern-it' } }),
      'partner_invalid',
    ],
    ['one pin twice', text({ document: { ...DOCUMENT, ca_pins: [pinOf(CA_1), pinOf(CA_1)] } }), 'partner_invalid'],
    ['no certificate under a pin', text({ ca: pemOf(CA_3) }), 'partner_invalid'],
    ['a certificate that is no CA', text({ ca: pemOf(CA_1, LEAF) }), 'partner_invalid'],
  ];
  return { root_sha256: ROOT_SHA256, cases: cases.map(([name, of, expect]) => ({ name, text: of, expect })) };
}
