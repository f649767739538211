// DSSE envelopes (https://github.com/secure-systems-lab/dsse, protocol v1): one JSON line around signed bytes.
import { AgentError, type AgentErrorOptions } from '../errors/agent-error.ts';
import { decodeBase64 } from './base64.ts';
import type { EmbeddedEnvelope } from './schemas/primitives.ts';
import { parseStrict } from './strict-json.ts';

export interface EnvelopeSignature {
  /** Hex SHA-256 of the signer's DER SPKI. A hint for finding the key; it decides nothing. */
  readonly keyid: string;
  readonly sig: Buffer;
}

export interface Envelope {
  /** What was signed, together with payloadType. The only bytes that may be parsed, and only once verified. */
  readonly payload: Buffer;
  readonly payloadType: string;
  readonly signatures: readonly EnvelopeSignature[];
}

/** Signs with one key. `sign` returns the raw signature (Ed25519: 64 bytes). */
export interface Signer {
  readonly keyid: string;
  /** Base64 of the DER SPKI. */
  readonly spki: string;
  sign(data: Uint8Array): Buffer;
}

/** An envelope carries at most this many signatures: more persons than any threshold can ask for. */
export const MAX_SIGNATURES = 16;
const MAX_SIG_CHARS = 200;
const PAYLOAD_TYPE = /^application\/vnd\.[a-z0-9.+-]{1,84}$/;
const KEYID = /^[0-9a-f]{64}$/;
/** What JSON writes as it is. */
const PLAIN = /^[A-Za-z0-9./+-]*$/;
/** The whole form of a line with one signature: what fits is an envelope but for its base64. Verifying a log reads millions. */
const ONE_SIGNATURE =
  /^\{"payload":"([A-Za-z0-9+/=]*)","payloadType":"(application\/vnd\.[a-z0-9.+-]{1,84})","signatures":\[\{"keyid":"([0-9a-f]{64})","sig":"([A-Za-z0-9+/=]{1,200})"\}\]\}$/;

/** Pre-authentication encoding: `DSSEv1 <length of type> <type> <length of payload> <payload>`; lengths in bytes, decimal. */
export function pae(payloadType: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/**
 * Parses an envelope line (without LF). Exactly the fields payload, payloadType, signatures[keyid, sig], in this order,
 * strict JSON, canonical base64, no keyid twice. Verifies nothing.
 *
 * @throws json_too_large | json_too_deep | json_not_strict | base64_invalid | envelope_invalid
 */
export function parseEnvelope(
  line: string | Uint8Array,
  o: { maxBytes: number; place?: string | undefined },
): Envelope {
  const match = typeof line === 'string' && line.length <= o.maxBytes ? ONE_SIGNATURE.exec(line) : null;
  if (match !== null) {
    const [, payload, payloadType, keyid, sig] = match as unknown as [string, string, string, string, string];
    return {
      payload: decodeBase64(payload, o.place),
      payloadType,
      signatures: [{ keyid, sig: decodeBase64(sig, o.place) }],
    };
  }
  if (typeof line === 'string' && !line.isWellFormed()) throw invalid('the line is not well-formed text', o.place);
  return fromFields(parseStrict(typeof line === 'string' ? Buffer.from(line) : line, o), o.place);
}

/** The one line (without LF) of an envelope. `parseEnvelope` of it gives the same envelope back. */
export function encodeEnvelope({ payload, payloadType, signatures }: Envelope): string {
  // Base64, hex and media types hold nothing that JSON escapes; writing them out is six times as fast as JSON.stringify.
  const signed = signatures.map(({ keyid, sig }) => `{"keyid":"${plain(keyid)}","sig":"${sig.toString('base64')}"}`);
  const head = `{"payload":"${payload.toString('base64')}","payloadType":"${plain(payloadType)}"`;
  return `${head},"signatures":[${signed.join(',')}]}`;
}

/** The text as it stands between quotes in JSON. */
function plain(text: string): string {
  return PLAIN.test(text) ? text : JSON.stringify(text).slice(1, -1);
}

/** Signs `payload` as `payloadType` with each signer, in the order given. */
export function signEnvelope(payloadType: string, payload: Buffer, signers: readonly Signer[]): Envelope {
  const data = pae(payloadType, payload);
  const signatures = signers.map((signer) => ({ keyid: signer.keyid, sig: signer.sign(data) }));
  return { payload, payloadType, signatures };
}

/**
 * An envelope that was embedded in another document (as its schema `embeddedEnvelope` describes).
 *
 * @throws base64_invalid | envelope_invalid
 */
export function envelopeFromEmbedded(embedded: EmbeddedEnvelope, place?: string): Envelope {
  return fromFields(embedded, place, false);
}

/** The form in which one document embeds the envelope of another. */
export function toEmbedded(envelope: Envelope): EmbeddedEnvelope {
  return {
    payload: envelope.payload.toString('base64'),
    payloadType: envelope.payloadType,
    signatures: envelope.signatures.map((s) => ({ keyid: s.keyid, sig: s.sig.toString('base64') })),
  };
}

function fromFields(value: unknown, place: string | undefined, ordered = true): Envelope {
  const [payload, payloadType, signatures] = fields(value, ['payload', 'payloadType', 'signatures'], place, ordered);
  if (typeof payload !== 'string') throw invalid('payload is not text', place);
  if (typeof payloadType !== 'string' || !PAYLOAD_TYPE.test(payloadType)) {
    throw invalid('payloadType is not a media type of a signed document', place);
  }
  if (!Array.isArray(signatures) || signatures.length === 0 || signatures.length > MAX_SIGNATURES) {
    throw invalid(`signatures is not a list of 1 to ${MAX_SIGNATURES}`, place);
  }
  const parsed = signatures.map((s: unknown) => signatureFromFields(s, place, ordered));
  if (new Set(parsed.map((s) => s.keyid)).size !== parsed.length) throw invalid('a keyid stands twice', place);
  return { payload: decodeBase64(payload, place), payloadType, signatures: parsed };
}

function signatureFromFields(value: unknown, place: string | undefined, ordered: boolean): EnvelopeSignature {
  const [keyid, sig] = fields(value, ['keyid', 'sig'], place, ordered);
  if (typeof keyid !== 'string' || !KEYID.test(keyid)) throw invalid('a keyid is not 64 lower-case hex digits', place);
  if (typeof sig !== 'string' || sig === '' || sig.length > MAX_SIG_CHARS) {
    throw invalid('a signature is empty, too long or not text', place);
  }
  return { keyid, sig: decodeBase64(sig, place) };
}

/** The values of exactly these fields. Order counts on the wire (one spelling), not in values that a schema rebuilt. */
function fields(
  value: unknown,
  names: readonly string[],
  place: string | undefined,
  ordered: boolean,
): readonly unknown[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('a part is not an object', place);
  const keys = Object.keys(value);
  const fits =
    keys.length === names.length && names.every((name, i) => (ordered ? keys[i] === name : keys.includes(name)));
  if (!fits) throw invalid(`the fields are not exactly ${names.join(', ')}, in this order`, place);
  return names.map((name) => (value as Record<string, unknown>)[name]);
}

function invalid(sentence: string, place: string | undefined): AgentError<'envelope_invalid'> {
  const options: AgentErrorOptions = place === undefined ? {} : { place };
  return new AgentError('envelope_invalid', sentence, options);
}
