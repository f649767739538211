// What an RFC 3161 timestamp is worth: it is over these bytes, and an authority that the caller trusts signed it. Pure: no clock;
// certificates are judged at the time that the token names.
import { createHash, verify, X509Certificate } from 'node:crypto';
import { AgentError } from '../errors/agent-error.ts';
import { sha256 } from '../wire/digest.ts';
import { expectTag, inside, readOid, TAG, type DerValue } from '../wire/der.ts';
import {
  parseTimestampResponse,
  TST_INFO_OID,
  withoutZeros,
  type SignerInfo,
  type TimestampToken,
} from '../wire/timestamp.ts';

const DIGESTS: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};
/** Signature algorithm → its digest; '' is the one of the signer, null is none (Ed25519). */
const SIGNATURES: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.1': '',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
};
const ATTRIBUTE = {
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const;
const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';
/** Certificates between the authority's and a trusted one. */
const MAX_CHAIN = 6;

export interface TimestampExpectation {
  /** What it has to be over. */
  readonly data: string;
  /** Of the request, where we made it. */
  readonly nonce?: Uint8Array;
  /** PEM certificates of authorities that the caller trusts; null: the signature is not looked at. */
  readonly authorities: readonly string[] | null;
}

export interface OpenedTimestamp {
  /** Unix seconds, as the authority says. */
  readonly time: number;
  /** Whose certificate signed, as its subject says; null where the signature was not looked at. */
  readonly authority: string | null;
}

/**
 * @throws timestamp_refused (the authority did not grant it) | timestamp_invalid (malformed, over other data, another nonce, a
 *   signature or chain that does not hold)
 */
export function openTimestamp(response: Buffer, expected: TimestampExpectation): OpenedTimestamp {
  const token = parseTimestampResponse(response);
  if (!token.imprint.equals(sha256(expected.data))) throw invalid('it is over something else');
  if (expected.nonce !== undefined && token.nonce?.equals(withoutZeros(Buffer.from(expected.nonce))) !== true) {
    throw invalid('it does not repeat the nonce of the request');
  }
  if (expected.authorities === null) return { time: token.time, authority: null };
  const anchors = expected.authorities.map((pem) => certificate(pem));
  const signer = signerOf(token, anchors);
  assertTrusted(signer, token, anchors);
  return { time: token.time, authority: signer.subject.replace(/\n/g, ', ') };
}

/** The certificate that the signature belongs to: named by the signed attributes, so that no other can take its place. */
function signerOf(token: TimestampToken, anchors: readonly X509Certificate[]): X509Certificate {
  const { signer } = token;
  const digest = DIGESTS[signer.digestOid];
  const signature = SIGNATURES[signer.signatureOid];
  if (digest === undefined || signature === undefined) throw invalid('it is signed in a way that is not known here');
  const type = signer.attributes.get(ATTRIBUTE.contentType);
  const said = signer.attributes.get(ATTRIBUTE.messageDigest);
  if (type === undefined || readOid(type) !== TST_INFO_OID) throw invalid('its signature is for something else');
  const computed = createHash(digest).update(token.info).digest();
  if (said === undefined || !expectTag(said, TAG.octets).content.equals(computed)) {
    throw invalid('its signature is over another content');
  }
  const named = certificateDigest(signer);
  const found = [...token.certificates.map((raw) => certificate(raw)), ...anchors].find((one) =>
    createHash(named.algorithm).update(one.raw).digest().equals(named.digest),
  );
  if (found === undefined) throw invalid('the certificate of its signer did not come along');
  const hash = signature === '' ? digest : signature;
  if (!holds(() => verify(hash, signer.signedAttributes, found.publicKey, signer.signature)))
    throw invalid('its signature does not hold');
  return found;
}

/** OpenSSL throws where a key is of a kind that it does not know, or that does not fit: whoever made the certificate chose that. */
function holds(judge: () => boolean): boolean {
  try {
    return judge();
  } catch {
    return false;
  }
}

/** ESSCertID (RFC 2634, SHA-1) or ESSCertIDv2 (RFC 5035, SHA-256 unless it says otherwise) of the first certificate. */
function certificateDigest({ attributes }: SignerInfo): { algorithm: string; digest: Buffer } {
  const firstOf = (value: DerValue): DerValue[] => {
    const [list] = inside(expectTag(value, TAG.sequence));
    return inside(expectTag(inside(expectTag(list, TAG.sequence))[0], TAG.sequence));
  };
  const v2 = attributes.get(ATTRIBUTE.signingCertificateV2);
  if (v2 !== undefined) {
    const [first, second] = firstOf(v2);
    if (first?.tag === TAG.octets) return { algorithm: 'sha256', digest: first.content };
    const algorithm = DIGESTS[readOid(inside(expectTag(first, TAG.sequence))[0])];
    if (algorithm === undefined) throw invalid('it names its certificate in a way that is not known here');
    return { algorithm, digest: expectTag(second, TAG.octets).content };
  }
  const v1 = attributes.get(ATTRIBUTE.signingCertificate);
  if (v1 === undefined) throw invalid('it does not name the certificate of its signer');
  return { algorithm: 'sha1', digest: expectTag(firstOf(v1)[0], TAG.octets).content };
}

function assertTrusted(signer: X509Certificate, token: TimestampToken, anchors: readonly X509Certificate[]): void {
  // Node gives the extended key usages under this name.
  if (signer.keyUsage?.includes(TIME_STAMPING) !== true) throw invalid('its certificate is not for timestamps');
  const others = token.certificates.map((raw) => certificate(raw));
  let current = signer;
  for (let depth = 0; depth < MAX_CHAIN; depth += 1) {
    const [from, until] = [Date.parse(current.validFrom), Date.parse(current.validTo)].map((ms) => ms / 1_000);
    if (!(token.time >= (from ?? Infinity) && token.time <= (until ?? 0))) {
      throw invalid('a certificate was not valid at that time');
    }
    if (anchors.some((anchor) => anchor.raw.equals(current.raw) || isIssuedBy(current, anchor))) return;
    const issuer = others.find((one) => one.ca && isIssuedBy(current, one) && !one.raw.equals(current.raw));
    if (issuer === undefined) break;
    current = issuer;
  }
  throw invalid('its certificate does not lead to an authority that is trusted');
}

const isIssuedBy = (subject: X509Certificate, issuer: X509Certificate): boolean =>
  holds(() => subject.checkIssued(issuer) && subject.verify(issuer.publicKey));

function certificate(source: string | Buffer): X509Certificate {
  try {
    return new X509Certificate(source);
  } catch (cause) {
    throw new AgentError('timestamp_invalid', 'a certificate is not readable', { cause });
  }
}

/** The certificates of a PEM file. @throws timestamp_invalid where there is none, or one is not readable */
export function parseAuthorities(pem: string, place: string): string[] {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw new AgentError('timestamp_invalid', 'the file holds no certificate', { place });
  for (const one of found) certificate(one);
  return found;
}

function invalid(sentence: string): AgentError<'timestamp_invalid'> {
  return new AgentError('timestamp_invalid', `the timestamp does not hold: ${sentence}`);
}
