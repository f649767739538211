// RFC 3161 timestamps: the request, and the answer taken apart. What the answer is worth: trust/open-timestamp.ts. Pure.
import { AgentError } from '../errors/agent-error.ts';
import {
  der,
  derInteger,
  derOid,
  expectTag,
  inside,
  malformed,
  readDer,
  readOid,
  readSmallInteger,
  TAG,
  type DerValue,
} from './der.ts';
import { sha256 } from './digest.ts';

/** A timestamp over the checkpoint of a log at one size. */
export interface StampedSize {
  readonly size: number;
  /** DER of the whole TimeStampResp, as the authority answered. */
  readonly response: Buffer;
}

/** In a bundle: what was stamped, beside the answer, for `openssl ts -verify -data`. */
export interface StampedFile extends StampedSize {
  readonly text: string;
}

/** An answer of this size is none: tokens with a chain of certificates have a few KiB. */
export const MAX_TIMESTAMP_BYTES = 65_536;
export const NONCE_BYTES = 16;

const OID = {
  sha256: '2.16.840.1.101.3.4.2.1',
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
} as const;
export const TST_INFO_OID: string = OID.tstInfo;

/** PKIStatus: granted, grantedWithMods. */
const GRANTED: readonly number[] = [0, 1];

/** What a timestamp of a checkpoint is over: the text that the log and its witness sign, to the last line feed. */
export const stampedText = (origin: string, size: number, root: Buffer): string =>
  `${origin}\n${size}\n${root.toString('base64')}\n`;

/** TimeStampReq (section 2.4.1) for the SHA-256 of `data`, asking for the certificate. */
export function encodeTimestampRequest(data: string, nonce: Uint8Array): Buffer {
  const algorithm = der(TAG.sequence, derOid(OID.sha256), der(TAG.null));
  const imprint = der(TAG.sequence, algorithm, der(TAG.octets, sha256(data)));
  return der(TAG.sequence, derInteger(Buffer.of(1)), imprint, derInteger(nonce), der(TAG.boolean, Buffer.of(0xff)));
}

export interface TimestampToken {
  /** TSTInfo, the bytes that are signed through the attributes. */
  readonly info: Buffer;
  /** Digest of what was stamped (SHA-256). */
  readonly imprint: Buffer;
  /** Magnitude; null where the request had none. */
  readonly nonce: Buffer | null;
  /** Unix seconds. */
  readonly time: number;
  /** DER certificates that came along. */
  readonly certificates: readonly Buffer[];
  readonly signer: SignerInfo;
}

export interface SignerInfo {
  readonly digestOid: string;
  readonly signatureOid: string;
  readonly signature: Buffer;
  /** The signed attributes as they are signed: DER of a SET. */
  readonly signedAttributes: Buffer;
  /** OID → first value of the attribute. */
  readonly attributes: ReadonlyMap<string, DerValue>;
}

/**
 * Takes a TimeStampResp (section 2.4.2) apart. Verifies nothing but its form.
 *
 * @throws timestamp_refused where the authority did not grant it, timestamp_invalid
 */
export function parseTimestampResponse(response: Buffer): TimestampToken {
  if (response.length > MAX_TIMESTAMP_BYTES) throw malformed('it is too large');
  const [status, token] = inside(expectTag(readDer(response), TAG.sequence));
  const [code, text] = inside(expectTag(status, TAG.sequence));
  const value = readSmallInteger(code);
  if (!GRANTED.includes(value)) {
    const said = text?.tag === TAG.sequence ? inside(text)[0]?.content.toString('utf8').slice(0, 120) : undefined;
    const why = said === undefined ? '' : `: ${said.replace(/[^\x20-\x7e]/g, '?')}`;
    throw new AgentError('timestamp_refused', `the authority refused the timestamp with status ${value}${why}`);
  }
  return parseToken(expectTag(token, TAG.sequence));
}

function parseToken(token: DerValue): TimestampToken {
  const [type, wrapped] = inside(token);
  if (readOid(type) !== OID.signedData) throw malformed('it is no signed data');
  const [, , content, ...rest] = inside(expectTag(inside(expectTag(wrapped, TAG.context0))[0], TAG.sequence));
  const [contentType, octets] = inside(expectTag(content, TAG.sequence));
  if (readOid(contentType) !== OID.tstInfo) throw malformed('it signs something else than a time');
  const info = expectTag(inside(expectTag(octets, TAG.context0))[0], TAG.octets).content;
  const signers = inside(expectTag(rest.at(-1), TAG.set));
  const [signer] = signers;
  if (signer === undefined || signers.length !== 1) throw malformed('there is not exactly one signer');
  const certificates = rest.find((part) => part.tag === TAG.context0);
  return {
    ...parseInfo(readDer(info)),
    info,
    certificates: certificates === undefined ? [] : inside(certificates).map((one) => one.raw),
    signer: parseSigner(signer),
  };
}

function parseInfo(info: DerValue): Pick<TimestampToken, 'imprint' | 'nonce' | 'time'> {
  const [version, , imprint, , time, ...rest] = inside(expectTag(info, TAG.sequence));
  if (readSmallInteger(version) !== 1) throw malformed('its version is not 1');
  const [algorithm, digest] = inside(expectTag(imprint, TAG.sequence));
  if (readOid(inside(expectTag(algorithm, TAG.sequence))[0]) !== OID.sha256)
    throw malformed('it is not over a SHA-256');
  const nonce = rest.find((part) => part.tag === TAG.integer)?.content;
  return {
    imprint: expectTag(digest, TAG.octets).content,
    nonce: nonce === undefined ? null : withoutZeros(nonce),
    time: timeOf(expectTag(time, TAG.time).content.toString('latin1')),
  };
}

/** Magnitude without leading zeros: what two spellings of one number have in common. */
export function withoutZeros(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  return bytes.subarray(start);
}

/** GeneralizedTime in UTC, with or without a fraction. */
function timeOf(text: string): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d{1,9})?Z$/.exec(text) ?? [];
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(ms)) throw malformed('its time is not readable');
  return ms / 1_000;
}

function parseSigner(signer: DerValue): SignerInfo {
  const [, , digest, attributes, algorithm, signature] = inside(expectTag(signer, TAG.sequence));
  const signed = expectTag(attributes, TAG.context0);
  const pairs = inside(signed).map((attribute): [string, DerValue] => {
    const [oid, values] = inside(expectTag(attribute, TAG.sequence));
    const [first] = inside(expectTag(values, TAG.set));
    if (first === undefined) throw malformed('an attribute is empty');
    return [readOid(oid), first];
  });
  if (new Map(pairs).size !== pairs.length) throw malformed('an attribute stands twice');
  return {
    digestOid: readOid(inside(expectTag(digest, TAG.sequence))[0]),
    signatureOid: readOid(inside(expectTag(algorithm, TAG.sequence))[0]),
    signature: expectTag(signature, TAG.octets).content,
    // RFC 5652 section 5.4: signed under the tag of a SET, not under the one that they are carried with.
    signedAttributes: Buffer.concat([Buffer.of(TAG.set), signed.raw.subarray(1)]),
    attributes: new Map(pairs),
  };
}
