import { AgentError } from '../../agent/errors/agent-error.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { CompactRange } from '../../agent/wire/merkle.ts';
import { originOf } from '../../agent/trust/binding.ts';
import type { Binding } from '../../agent/wire/schemas/enrolment.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { EnrolmentRow } from '../store/enrolment-table.ts';
import type { Central } from './central.ts';
import { signOwn } from './sign-own.ts';

/** The first life of an appliance's log. */
const FIRST_EPOCH = 1;

type Parts = Pick<Central, 'store' | 'trust' | 'keys' | 'now'>;

/**
 * The binding of a confirmed device; the registrar signs it the first time, and it is stored before anyone sees it. Where the
 * device replaces one that lost its keys, it begins the next epoch, and its binding names what was witnessed of the one before.
 */
export function bindingFor(central: Parts, device: EnrolmentRow): BindingRow {
  return central.store.unit(() => {
    const applianceId = device.appliance_id;
    const site = central.store.appliances.site(device.site_id);
    if (applianceId === null || device.approver === null || site === null) {
      throw new AgentError('internal', 'a device without an appliance id, approver or site cannot be bound');
    }
    const bindings = central.store.appliances.bindings(applianceId);
    const own = bindings.find((binding) => binding.device_spki === device.device_spki);
    if (own !== undefined) return own;
    const { root } = central.trust.root();
    const epoch = (bindings[0]?.epoch ?? FIRST_EPOCH - 1) + 1;
    return bind(central, {
      site_id: device.site_id,
      customer_id: site.customer_id,
      appliance_id: applianceId,
      epoch,
      origin: originOf(root, applianceId, epoch),
      device_spki: device.device_spki,
      tls_spki: device.tls_spki,
      approver: device.approver,
      status: 'confirmed',
      previous: bindings[0] === undefined ? null : witnessedOf(central, bindings[0].origin),
    });
  });
}

/** What a binding says of the epoch before it: how much of its log the witness saw. */
export function witnessedOf({ store }: Pick<Central, 'store'>, origin: string): NonNullable<Binding['previous']> {
  const latest = store.witness.latest(origin);
  if (latest !== null) return { origin, size: latest.size, root: latest.root };
  return { origin, size: 0, root: CompactRange.from(0, []).root().toString('hex') };
}

/** Signs a binding and stores it, within the caller's transaction. */
export function bind(
  central: Parts,
  what: Omit<Binding, 'schema' | 'partner_id' | 'deployment_mode' | 'reseller_id' | 'issued_at'>,
): BindingRow {
  const { root } = central.trust.root();
  const direct = central.store.setting('deployment_mode') === 'direct';
  const { site_id, customer_id, appliance_id, epoch, origin, device_spki, tls_spki } = what;
  const issued_at = central.now();
  const binding = signOwn(
    'binding',
    {
      schema: 'compliance-agent/binding/v1',
      partner_id: root.partner_id,
      customer_id,
      site_id,
      appliance_id,
      deployment_mode: direct ? 'direct' : 'reseller',
      ...(direct ? {} : { reseller_id: root.partner_id }),
      epoch,
      origin,
      device_spki,
      tls_spki,
      approver: what.approver,
      status: what.status,
      previous: what.previous,
      issued_at,
    },
    central.keys.registrar,
  );
  const line = encodeEnvelope(binding);
  const row = { origin, appliance_id, epoch, site_id, customer_id, device_spki, tls_spki, issued_at, line };
  central.store.appliances.addBinding(row);
  return row;
}
