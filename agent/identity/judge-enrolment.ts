// Does a confirmed enrolment name our keys, our partner, and a certificate of the pinned CA? Pure.
import { AgentError } from '../errors/agent-error.ts';
import type { EnrolledIdentity } from '../store/trust-documents.ts';
import { openBinding } from '../trust/binding.ts';
import type { Opened } from '../trust/open-document.ts';
import { openPolicy } from '../trust/policy.ts';
import { envelopeFromEmbedded } from '../wire/dsse.ts';
import type { Binding, ClaimAnswer } from '../wire/schemas/enrolment.ts';
import { certificateProblem } from './judge-certificate.ts';
import type { Provision } from './provision-files.ts';
import { validityOf } from './renewal.ts';

export interface Enrolment {
  readonly identity: EnrolledIdentity;
  readonly policy: Opened<'sitePolicy'> | null;
}

/**
 * @param enrolled the part of a verified answer that `confirmed` carries
 * @param serverTime of the same answer, Unix seconds: certificate dates are judged by it, not by our clock
 * @throws enrolment_mismatch; the errors of openBinding and openPolicy
 */
export function judgeEnrolment(
  enrolled: NonNullable<ClaimAnswer['enrolled']>,
  serverTime: number,
  ours: { readonly deviceSpki: string; readonly tlsSpki: string },
  provision: Provision,
): Enrolment {
  const { root } = provision.root;
  const binding = openBinding(root, envelopeFromEmbedded(enrolled.binding, 'binding'), { place: 'binding' });
  const problem =
    bindingProblem(binding.value, enrolled, ours) ??
    certificateProblem(enrolled.certificate, { ...provision, tlsSpki: ours.tlsSpki }) ??
    dateProblem(enrolled.certificate, serverTime);
  if (problem !== null) throw new AgentError('enrolment_mismatch', problem, { place: provision.centralUrl });
  const { value } = binding;
  const policy =
    enrolled.policy === null
      ? null
      : openPolicy(root, envelopeFromEmbedded(enrolled.policy, 'policy'), {
          siteId: value.site_id,
          currentVersion: null,
          now: serverTime,
          place: 'policy',
        });
  return {
    policy,
    identity: {
      applianceId: value.appliance_id,
      siteId: value.site_id,
      customerId: value.customer_id,
      partnerId: value.partner_id,
      deploymentMode: value.deployment_mode,
      resellerId: value.reseller_id ?? null,
      origin: value.origin,
      epoch: value.epoch,
      bindingLine: binding.line,
      certificatePem: enrolled.certificate,
      centralUrl: provision.centralUrl,
      caPem: provision.caPem,
      caPins: provision.caPins,
    },
  };
}

function bindingProblem(
  binding: Binding,
  enrolled: { appliance_id: string; site_id: string },
  ours: { deviceSpki: string; tlsSpki: string },
): string | null {
  if (binding.device_spki !== ours.deviceSpki) return 'the binding names another device key';
  if (binding.tls_spki !== ours.tlsSpki) return 'the binding names another TLS key';
  if (binding.appliance_id !== enrolled.appliance_id) return 'the binding names another appliance than the answer';
  if (binding.site_id !== enrolled.site_id) return 'the binding names another site than the answer';
  return null;
}

/** Our own clock plays no part: the certificate has to be in date at the time of the answer. */
function dateProblem(pem: string, serverTime: number): string | null {
  const validity = validityOf(pem);
  const inDate = validity !== null && validity.notBefore <= serverTime && serverTime < validity.notAfter;
  return inDate ? null : 'the certificate is not valid at the time of the answer';
}
