// Signed documents: strict bytes, size and schema in one step each way.
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { sha256Hex } from './digest.ts';
import { signEnvelope, type Envelope, type Signer } from './dsse.ts';
import { MAX_ENTRY_BYTES } from './schemas/entry.ts';
import { DOCUMENTS, type DocumentName } from './schemas/payload-types.ts';
import { encodeStrict, parseStrict } from './strict-json.ts';

export type DocumentOf<N extends DocumentName> = v.InferOutput<(typeof DOCUMENTS)[N]['schema']>;

/** An order's line with everything embedded in it: 64 KiB. */
const MAX_ORDER_LINE_BYTES = 65_536;
/** Room in a line for what is not payload: field names, payloadType, 16 signatures. */
const ENVELOPE_OVERHEAD_BYTES = 4_096;

/** The size in bytes (without LF) over which a document's envelope line is refused unread. */
export function maxLineBytes(name: DocumentName): number {
  if (name === 'entry') return MAX_ENTRY_BYTES;
  if (name === 'order') return MAX_ORDER_LINE_BYTES;
  return Math.ceil(DOCUMENTS[name].maxBytes / 3) * 4 + ENVELOPE_OVERHEAD_BYTES;
}

/**
 * Parses the payload of a document. Call it on verified payloads only, save where a document names the key that signed it
 * (claim, binding of an unknown partner): there nothing may be done before the signature is checked.
 *
 * @throws json_too_large | json_too_deep | json_not_strict | schema_invalid (its `details.path` is the JSON path)
 */
export function parseDocument<N extends DocumentName>(name: N, payload: Uint8Array, place?: string): DocumentOf<N> {
  return fit(name, parseStrict(payload, { maxBytes: DOCUMENTS[name].maxBytes, place }), place);
}

/**
 * The payload bytes of a document, fields in the order of the schema. What does not fit the schema is never encoded.
 *
 * @throws schema_invalid | json_not_strict | json_too_deep | json_too_large
 */
export function encodeDocument<N extends DocumentName>(name: N, value: DocumentOf<N>): Buffer {
  const payload = encodeStrict(fit(name, value, undefined));
  const { maxBytes } = DOCUMENTS[name];
  if (payload.length > maxBytes) {
    throw new AgentError('json_too_large', `a ${name} has ${payload.length} bytes, at most ${maxBytes} may be`);
  }
  return payload;
}

/** The digest by which a signed thing is named: hex SHA-256 of its payload bytes, whoever signed them. */
export function payloadDigest(envelope: Envelope): string {
  return sha256Hex(envelope.payload);
}

/** Encodes and signs a document. @throws as encodeDocument */
export function signDocument<N extends DocumentName>(
  name: N,
  value: DocumentOf<N>,
  signers: readonly Signer[],
): Envelope {
  return signEnvelope(DOCUMENTS[name].payloadType, encodeDocument(name, value), signers);
}

function fit<N extends DocumentName>(name: N, value: unknown, place: string | undefined): DocumentOf<N> {
  const schema: v.GenericSchema<unknown, unknown> = DOCUMENTS[name].schema;
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output as DocumentOf<N>;
  const issue = result.issues[0];
  const path = pathOf(issue);
  throw new AgentError('schema_invalid', `${path === '' ? `the ${name}` : `${name}: ${path}`} ${sentenceOf(issue)}`, {
    ...(place === undefined ? {} : { place }),
    details: { document: name, path },
  });
}

/** JSON path of an issue, keys cut to short printable ASCII: they may come from strangers. */
function pathOf(issue: v.BaseIssue<unknown>): string {
  const keys = issue.path?.map((item) =>
    String(item.key)
      .slice(0, 64)
      .replace(/[^A-Za-z0-9_.:/-]/g, '?'),
  );
  return keys?.join('.') ?? '';
}

/** What is wrong, without the received value: it may be secret or a target's text. */
function sentenceOf(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === 'never') return 'is not a known field';
  if (issue.received === 'undefined') return 'is missing';
  if (!issue.message.startsWith('Invalid')) return issue.message;
  return `does not fit: expected ${issue.expected ?? `a valid ${issue.type.replaceAll('_', ' ')}`}`;
}
