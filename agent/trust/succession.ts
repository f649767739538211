// How one epoch of a log follows another without anybody asking the registrar first: the key of the old epoch names the new one.
import { createPublicKey, verify } from 'node:crypto';
import { AgentError } from '../errors/agent-error.ts';
import { parseDocument } from '../wire/document.ts';
import { pae, type Envelope } from '../wire/dsse.ts';
import { keyidOf } from '../wire/keys.ts';
import type { Binding, Succession } from '../wire/schemas/enrolment.ts';
import { readSource } from './open-document.ts';
import { assertStrictKey, verifyStrict } from './verify-signature.ts';

/** At most one provisional epoch in so many seconds. */
export const PROVISIONAL_INTERVAL_S = 86_400;

/** The origin of the epoch after the one of `binding`. */
export const nextOrigin = (binding: Pick<Binding, 'origin' | 'epoch'>): string =>
  binding.origin.replace(/[0-9]+$/, String(binding.epoch + 1));

/**
 * Verifies a succession by the keys that the old epoch's binding names: the device key (Ed25519), or the TLS key (ECDSA over
 * P-256 with SHA-256, DER) where the document says so. It must lead to the very next epoch of the same appliance.
 *
 * @param old the newest binding of the old epoch, verified
 * @throws the errors of parseEnvelope; payload_type_mismatch; signature_invalid; the errors of parseDocument; key_invalid;
 *   succession_invalid
 */
export function openSuccession(old: Binding, source: string | Envelope, place?: string): Succession {
  const { envelope } = readSource('succession', source, place);
  const at = place === undefined ? {} : { place };
  const [signature, ...others] = envelope.signatures;
  const data = pae(envelope.payloadType, envelope.payload);
  const by = signature === undefined || others.length > 0 ? null : signerOf(old, signature.keyid);
  if (signature === undefined || by === null || !holds(by, old, data, signature.sig)) {
    throw new AgentError('signature_invalid', 'the succession is not signed by a key of the epoch before', at);
  }
  const value = parseDocument('succession', envelope.payload, place);
  assertStrictKey(value.new_device_spki, place);
  const problem =
    value.signed_with !== by
      ? 'the succession names another kind of key than signed it'
      : value.appliance_id !== old.appliance_id || value.old_origin !== old.origin
        ? 'the succession is for another log'
        : value.new_origin !== nextOrigin(old)
          ? 'the succession does not lead to the next epoch'
          : value.new_device_spki === old.device_spki
            ? 'the succession keeps the old key'
            : null;
  if (problem !== null) throw new AgentError('succession_invalid', problem, at);
  return value;
}

function signerOf(old: Binding, keyid: string): Succession['signed_with'] | null {
  if (keyid === keyidOf(old.device_spki)) return 'device';
  return keyid === keyidOf(old.tls_spki) ? 'tls' : null;
}

function holds(by: Succession['signed_with'], old: Binding, data: Buffer, sig: Buffer): boolean {
  if (by === 'device') return verifyStrict(old.device_spki, data, sig);
  const key = createPublicKey({ key: Buffer.from(old.tls_spki, 'base64'), format: 'der', type: 'spki' });
  return verify('sha256', data, key, sig);
}
