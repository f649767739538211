import { isAgentError } from '../../agent/errors/agent-error.ts';
import { parseDocument } from '../../agent/wire/document.ts';
import { pae, parseEnvelope } from '../../agent/wire/dsse.ts';
import { verifyWithNode } from '../../agent/wire/node-signature.ts';
import { MAX_ENTRY_BYTES } from '../../agent/wire/schemas/entry.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';

/** Where a line claims to stand, and whose it must be. */
export interface ExpectedEntry {
  readonly origin: string;
  readonly seq: number;
  /** Leaf hash of the line before, hex; 64 zeros for the first. */
  readonly prev: string;
  readonly applianceId: string;
  readonly siteId: string;
  readonly deviceSpki: string;
}

/**
 * The code that says why a line is no valid entry at its place; null for a good one. The line is stored either way:
 * what an appliance wrote is kept, however wrong it is.
 */
export function judgeLine(line: Buffer, expected: ExpectedEntry): string | null {
  try {
    const envelope = parseEnvelope(line, { maxBytes: MAX_ENTRY_BYTES });
    if (envelope.payloadType !== DOCUMENTS.entry.payloadType) return 'payload_type_mismatch';
    const [signature, ...others] = envelope.signatures;
    if (signature === undefined || others.length > 0) return 'signature_invalid';
    if (!verifyWithNode(expected.deviceSpki, pae(envelope.payloadType, envelope.payload), signature.sig)) {
      return 'signature_invalid';
    }
    const { predicate } = parseDocument('entry', envelope.payload);
    if (predicate.origin !== expected.origin) return 'entry_origin_differs';
    if (predicate.seq !== expected.seq) return 'entry_seq_differs';
    if (predicate.prev !== expected.prev) return 'entry_prev_differs';
    if (predicate.appliance_id !== expected.applianceId || predicate.site_id !== expected.siteId) {
      return 'entry_identity_differs';
    }
    return null;
  } catch (error) {
    if (isAgentError(error)) return error.code;
    throw error;
  }
}
