import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { id } from '../../agent/wire/schemas/primitives.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { EnrolmentRow } from '../store/enrolment-table.ts';
import type { Records } from './central.ts';
import { refuseRevoked } from './identify-client.ts';

/** Longest id that the schema takes. */
const MAX_ID_LENGTH = 63;

/** The id that a pending device gets unless the operator names another: its site and the start of its fingerprint. */
export function proposedId(row: Pick<EnrolmentRow, 'site_id' | 'fingerprint'>): string {
  const tail = `-${row.fingerprint.slice(0, 8).toLowerCase()}`;
  return `${row.site_id.slice(0, MAX_ID_LENGTH - tail.length)}${tail}`;
}

/**
 * Finds an enrolment by appliance id, proposed id or fingerprint (any case, spaces and dashes ignored).
 *
 * @throws appliance_unknown
 */
export function findDevice(central: Pick<Records, 'store'>, query: string): EnrolmentRow {
  const { enrolments } = central.store;
  const row =
    enrolments.byApplianceId(query) ??
    enrolments.byFingerprint(query.toUpperCase().replaceAll(/[\s-]/g, '')) ??
    enrolments.list().find((device) => device.state === 'pending' && proposedId(device) === query);
  if (row === undefined || row === null) throw new AgentError('appliance_unknown', `nothing is enrolled as ${query}`);
  return row;
}

/**
 * An operator's word that the fingerprint on the device's console is this one. Confirming again changes nothing. With
 * `replace` it takes the place of the device that had the id and lost its keys: its log begins the next epoch.
 *
 * @throws appliance_exists when the id is taken, usage when it is no id or there is nothing to replace, appliance_revoked
 */
export function confirmDevice(
  central: Pick<Records, 'store' | 'now'>,
  device: EnrolmentRow,
  o: { approver: string; applianceId?: string | undefined; replace?: boolean },
): string {
  return central.store.unit(() => {
    if (device.state === 'confirmed') return device.appliance_id as string;
    const applianceId: string = o.applianceId ?? proposedId(device);
    if (!v.safeParse(id, applianceId).success) throw new AgentError('usage', `${applianceId} is no appliance id`);
    const bound = central.store.appliances.binding(applianceId);
    const taken = central.store.enrolments.byApplianceId(applianceId) ?? bound;
    if (taken !== null && o.replace !== true)
      throw new AgentError('appliance_exists', `${applianceId} is another appliance`);
    if (o.replace === true) replaceDevice(central, device, applianceId, bound);
    const at = central.now();
    central.store.enrolments.confirm(device.device_spki, applianceId, o.approver, at);
    central.store.claims.fulfil(device.device_spki, at);
    const { fingerprint: detail } = device;
    central.store.access.add({ at, action: 'appliance_confirmed', subject: applianceId, person: o.approver, detail });
    return applianceId;
  });
}

function replaceDevice(
  { store }: Pick<Records, 'store'>,
  device: EnrolmentRow,
  applianceId: string,
  bound: BindingRow | null,
): void {
  if (bound === null) throw new AgentError('usage', `there is no ${applianceId} that could be replaced`);
  if (bound.site_id !== device.site_id) {
    throw new AgentError('usage', `${applianceId} stands at ${bound.site_id}, the device at ${device.site_id}`);
  }
  if (store.appliances.revoked(applianceId) !== null) refuseRevoked({ store }, applianceId);
  store.enrolments.replace(applianceId);
}
