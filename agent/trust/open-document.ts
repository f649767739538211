// The one way from an envelope to a value: verify first, then parse the very bytes that verified.
import { AgentError } from '../errors/agent-error.ts';
import { maxLineBytes, parseDocument, payloadDigest, type DocumentOf } from '../wire/document.ts';
import { encodeEnvelope, parseEnvelope, type Envelope } from '../wire/dsse.ts';
import { DOCUMENTS, type DocumentName } from '../wire/schemas/payload-types.ts';
import type { Role, Root } from '../wire/schemas/root.ts';
import { verifyRole, type RoleOptions } from './verify-role.ts';

/** A verified document: `value` was parsed from `payload`, and `payload` is what `persons` signed. */
export interface Opened<N extends DocumentName> {
  readonly value: DocumentOf<N>;
  readonly payload: Buffer;
  /** Hex SHA-256 of the payload: the document's name wherever it is referred to. */
  readonly digest: string;
  /** Who signed it, sorted. */
  readonly persons: readonly string[];
  /** The envelope as one JSON line without LF. */
  readonly line: string;
}

/**
 * Verifies an envelope for a role, then parses its payload. Nothing outside of the payload is ever parsed as the document.
 *
 * @throws the errors of parseEnvelope; payload_type_mismatch; signature_invalid; threshold_not_met; the errors of parseDocument
 */
export function openDocument<N extends DocumentName>(
  root: Root,
  role: Role,
  name: N,
  source: string | Envelope,
  o: RoleOptions = {},
): Opened<N> {
  const { envelope, line } = readSource(name, source, o.place);
  const { persons } = verifyRole(root, role, envelope, o);
  const value = parseDocument(name, envelope.payload, o.place);
  return { value, payload: envelope.payload, digest: payloadDigest(envelope), persons, line };
}

/**
 * The envelope of a document of this type, unverified, with its line.
 *
 * @throws the errors of parseEnvelope; payload_type_mismatch; json_too_large
 */
export function readSource(
  name: DocumentName,
  source: string | Envelope,
  place: string | undefined,
): { envelope: Envelope; line: string } {
  const line = typeof source === 'string' ? source : encodeEnvelope(source);
  // An envelope object is read back from its line: so its limits hold too, and nobody else holds its bytes.
  const envelope = parseEnvelope(line, { maxBytes: maxLineBytes(name), place });
  const expected = DOCUMENTS[name].payloadType;
  if (envelope.payloadType !== expected) {
    throw new AgentError(
      'payload_type_mismatch',
      `the envelope carries ${envelope.payloadType} where ${expected} belongs`,
      place === undefined ? {} : { place },
    );
  }
  return { envelope, line };
}
