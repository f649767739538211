// The next certificate of an appliance: over mutual TLS while the old one counts, with a single-use challenge once it does
// not. Whoever asks proves the device key first; who does not prove it learns nothing, not even whether the appliance exists.
import { createHash } from 'node:crypto';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { maxLineBytes, parseDocument } from '../../agent/wire/document.ts';
import { pae, parseEnvelope } from '../../agent/wire/dsse.ts';
import { verifyWithNode } from '../../agent/wire/node-signature.ts';
import type { CertificateRequest } from '../../agent/wire/schemas/enrolment.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import { checkCsr } from '../ca/check-csr.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import { COPY_ALARMS } from '../store/alarm-table.ts';
import type { Central } from './central.ts';
import { certificateFor } from './device-certificate.ts';
import { identifyClient, refuseRevoked, type ClientCertificate } from './identify-client.ts';

/**
 * @param client reads the certificate of the connection; called for renewals only, since a lapsed one must not be in the way
 * @returns the certificate in PEM, and nothing else
 * @throws signature_invalid (also for an appliance that does not exist or got another device key since), appliance_revoked,
 *   identity_mismatch, challenge_unknown, appliance_copied, csr_invalid, what `client` throws, the errors of parseEnvelope
 *   and parseDocument
 */
export async function renewCertificate(
  central: Central,
  client: () => ClientCertificate,
  body: Uint8Array,
): Promise<string> {
  const { request, binding } = openRequest(central, body);
  refuseRevoked(central, binding.appliance_id);
  const recovery = request.challenge !== null;
  if (request.challenge === null) {
    if (identifyClient(central, client()).appliance_id !== request.appliance_id) {
      throw new AgentError('identity_mismatch', 'the request names another appliance than its certificate');
    }
  } else {
    if (!central.challenges.take(request.challenge, binding.appliance_id)) {
      throw new AgentError('challenge_unknown', 'the challenge is not one that is open for this appliance');
    }
    if (central.store.alarms.isOpen(COPY_ALARMS, binding.appliance_id)) {
      throw new AgentError('appliance_copied', 'two machines were seen with the keys of this appliance');
    }
  }
  const der = Buffer.from(request.csr, 'base64');
  if (createHash('sha256').update(der).digest('hex') !== request.csr_sha256) {
    throw new AgentError('csr_invalid', 'the certificate request does not have the digest that is named');
  }
  await checkCsr(request.csr, binding.tls_spki);
  return await certificateFor(central, binding, recovery ? 'recovery' : 'renewal');
}

/** The request names the appliance whose key signs it, so it is parsed first; nothing is done before the signature holds. */
function openRequest(central: Central, body: Uint8Array): { request: CertificateRequest; binding: BindingRow } {
  const envelope = parseEnvelope(body, { maxBytes: maxLineBytes('certificateRequest') });
  if (envelope.payloadType !== DOCUMENTS.certificateRequest.payloadType) {
    throw new AgentError('payload_type_mismatch', 'the body is not a certificate request');
  }
  const request = parseDocument('certificateRequest', envelope.payload);
  const binding = central.store.appliances.binding(request.appliance_id);
  const [signature, ...others] = envelope.signatures;
  // Some key is always tried: how long the answer takes does not tell whether there is such an appliance.
  const spki = binding?.device_spki ?? central.keys.timestamp.spki;
  const data = pae(envelope.payloadType, envelope.payload);
  const holds = signature !== undefined && others.length === 0 && verifyWithNode(spki, data, signature.sig);
  if (binding === null || !holds) {
    throw new AgentError('signature_invalid', 'the request is not signed by the device key of such an appliance');
  }
  return { request, binding };
}
