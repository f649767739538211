import { AgentError } from '../../agent/errors/agent-error.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { originOf } from '../../agent/trust/binding.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { EnrolmentRow } from '../store/enrolment-table.ts';
import type { Central } from './central.ts';
import { signOwn } from './sign-own.ts';

/** The first life of an appliance's log. */
const FIRST_EPOCH = 1;

/** The binding of a confirmed device; the registrar signs it the first time, and it is stored before anyone sees it. */
export function bindingFor(
  central: Pick<Central, 'store' | 'trust' | 'keys' | 'now'>,
  device: EnrolmentRow,
): BindingRow {
  return central.store.unit(() => {
    const applianceId = device.appliance_id;
    const site = central.store.appliances.site(device.site_id);
    if (applianceId === null || device.approver === null || site === null) {
      throw new AgentError('internal', 'a device without an appliance id, approver or site cannot be bound');
    }
    const known = central.store.appliances.binding(applianceId);
    if (known !== null) return known;
    const { root } = central.trust.root();
    const direct = central.store.setting('deployment_mode') === 'direct';
    const now = central.now();
    const row = {
      origin: originOf(root, applianceId, FIRST_EPOCH),
      appliance_id: applianceId,
      epoch: FIRST_EPOCH,
      site_id: device.site_id,
      customer_id: site.customer_id,
      device_spki: device.device_spki,
      tls_spki: device.tls_spki,
      issued_at: now,
    };
    const binding = signOwn(
      'binding',
      {
        schema: 'compliance-agent/binding/v1',
        partner_id: root.partner_id,
        customer_id: row.customer_id,
        site_id: row.site_id,
        appliance_id: applianceId,
        deployment_mode: direct ? 'direct' : 'reseller',
        ...(direct ? {} : { reseller_id: root.partner_id }),
        epoch: row.epoch,
        origin: row.origin,
        device_spki: row.device_spki,
        tls_spki: row.tls_spki,
        approver: device.approver,
        status: 'confirmed',
        previous: null,
        issued_at: now,
      },
      central.keys.registrar,
    );
    const stored = { ...row, line: encodeEnvelope(binding) };
    central.store.appliances.addBinding(stored);
    return stored;
  });
}
