import { AgentError } from '../../agent/errors/agent-error.ts';
import { maxLineBytes, parseDocument, payloadDigest, type DocumentOf } from '../../agent/wire/document.ts';
import { encodeEnvelope, pae, parseEnvelope } from '../../agent/wire/dsse.ts';
import { verifyWithNode } from '../../agent/wire/node-signature.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import type { BindingRow } from '../store/appliance-table.ts';

/** Documents of an appliance about itself, of which each counts by itself. */
type OwnDocument = 'ticketUpdate' | 'recoveryKey';

/**
 * Signature first; only what the bound device key signed, alone, is parsed, and only as what it was signed as.
 *
 * @throws signature_invalid, payload_type_mismatch, identity_mismatch, the errors of parseEnvelope and parseDocument
 */
export function openSignedByDevice<N extends OwnDocument>(
  name: N,
  { device_spki, appliance_id, site_id }: BindingRow,
  body: Uint8Array,
): { readonly value: DocumentOf<N>; readonly digest: string; readonly line: string } {
  const envelope = parseEnvelope(body, { maxBytes: maxLineBytes(name) });
  if (envelope.payloadType !== DOCUMENTS[name].payloadType) {
    throw new AgentError('payload_type_mismatch', `the body is not a ${name}`);
  }
  const [signature, ...others] = envelope.signatures;
  const data = pae(envelope.payloadType, envelope.payload);
  if (signature === undefined || others.length > 0 || !verifyWithNode(device_spki, data, signature.sig)) {
    throw new AgentError('signature_invalid', `the ${name} is not signed by the device key of the appliance`);
  }
  const value = parseDocument(name, envelope.payload);
  const named: DocumentOf<OwnDocument> = value;
  if (named.appliance_id !== appliance_id || named.site_id !== site_id) {
    throw new AgentError('identity_mismatch', `the ${name} names another appliance or site than its certificate`);
  }
  return { value, digest: payloadDigest(envelope), line: encodeEnvelope(envelope) };
}
