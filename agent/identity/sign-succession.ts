// The word of the old epoch for the new device key: signed by the old device key, or by the TLS key where that is gone.
import { createPrivateKey, sign } from 'node:crypto';
import { encodeDocument } from '../wire/document.ts';
import { signEnvelope, toEmbedded, type Signer } from '../wire/dsse.ts';
import { keyidOf } from '../wire/keys.ts';
import type { Binding } from '../wire/schemas/enrolment.ts';
import { DOCUMENTS } from '../wire/schemas/payload-types.ts';
import type { EmbeddedEnvelope } from '../wire/schemas/primitives.ts';
import { nextOrigin } from '../trust/succession.ts';
import type { DeviceKeys } from './keys.ts';

/** ECDSA over P-256 with SHA-256, DER. */
function tlsSigner({ tlsKeyPem, tlsSpki }: Pick<DeviceKeys, 'tlsKeyPem' | 'tlsSpki'>): Signer {
  const key = createPrivateKey(tlsKeyPem);
  return { keyid: keyidOf(tlsSpki), spki: tlsSpki, sign: (data) => sign('sha256', data, key) };
}

/** @param oldSigner null: the old device key cannot be used */
export function signSuccession(
  old: Binding,
  oldSigner: Signer | null,
  next: DeviceKeys,
  issuedAt: number,
): EmbeddedEnvelope {
  const payload = encodeDocument('succession', {
    schema: 'compliance-agent/succession/v1',
    appliance_id: old.appliance_id,
    old_origin: old.origin,
    new_origin: nextOrigin(old),
    new_device_spki: next.signer.spki,
    signed_with: oldSigner === null ? 'tls' : 'device',
    issued_at: issuedAt,
  });
  const { payloadType } = DOCUMENTS.succession;
  return toEmbedded(signEnvelope(payloadType, payload, [oldSigner ?? tlsSigner(next)]));
}
