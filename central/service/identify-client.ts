import { AgentError } from '../../agent/errors/agent-error.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { Central } from './central.ts';

/** What a client certificate of our own CA says, taken from the TLS connection. */
export interface ClientCertificate {
  /** Subject CN. */
  readonly applianceId: string;
  /** DER SPKI in base64. */
  readonly spki: string;
}

/**
 * The appliance behind a client certificate: one whose current binding names this very TLS key.
 *
 * @throws identity_mismatch, appliance_revoked, appliance_decommissioned
 */
export function identifyClient(central: Pick<Central, 'store'>, client: ClientCertificate): BindingRow {
  const binding = central.store.appliances.binding(client.applianceId);
  if (binding === null) {
    throw new AgentError('identity_mismatch', 'the certificate names an appliance that is not bound here');
  }
  if (binding.tls_spki !== client.spki) {
    throw new AgentError('identity_mismatch', 'the certificate is for another key than the one bound to the appliance');
  }
  refuseRevoked(central, binding.appliance_id);
  return binding;
}

/** To be called only once the caller has proven who it is: the reason is nobody else's business. @throws appliance_revoked, appliance_decommissioned */
export function refuseRevoked(central: Pick<Central, 'store'>, applianceId: string): void {
  const { appliances } = central.store;
  const revoked = appliances.revoked(applianceId);
  if (revoked !== null) {
    throw new AgentError('appliance_revoked', 'the appliance is revoked', { details: { reason: revoked.reason } });
  }
  const out = appliances.decommissioned(applianceId);
  if (out === null || out.epoch < (appliances.binding(applianceId)?.epoch ?? 0)) return;
  const { reason } = out;
  throw new AgentError('appliance_decommissioned', 'the appliance was taken out of service', { details: { reason } });
}
