import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { text } from '../../agent/wire/schemas/primitives.ts';
import { COPY_ALARMS, type AlarmKind } from '../store/alarm-table.ts';
import type { DecommissionedRow, RevokedRow } from '../store/appliance-table.ts';
import type { Records } from './central.ts';

/** As long as a problem document carries it. */
const MAX_REASON = 200;

/**
 * Takes nothing from an appliance any more, for good: no check-in, evidence, document or certificate. What it uploaded stays.
 * The reason is told to the appliance. The first one stands.
 *
 * @throws appliance_unknown, usage
 */
export function revokeAppliance(
  { store, now }: Pick<Records, 'store' | 'now'>,
  applianceId: string,
  o: { readonly reason: string; readonly revokedBy: string },
): RevokedRow {
  if (!v.is(text(MAX_REASON), o.reason))
    throw new AgentError('usage', `the reason is one line of up to ${MAX_REASON} characters`);
  return store.unit(() => {
    refuseUnknown(store, applianceId);
    store.appliances.revoke({
      appliance_id: applianceId,
      reason: o.reason,
      revoked_by: o.revokedBy,
      revoked_at: now(),
    });
    const { reason: detail, revokedBy: person } = o;
    store.access.add({ at: now(), action: 'appliance_revoked', subject: applianceId, person, detail });
    return store.appliances.revoked(applianceId) as RevokedRow;
  });
}

/**
 * A person's word that there is only one machine with the keys of this appliance: closes the alarms that say otherwise, so
 * that a lapsed certificate can be recovered. A copy that speaks raises them again. Who said so stays in the list of alarms.
 *
 * @throws appliance_unknown
 */
export function vouchFor({ store, now }: Pick<Records, 'store' | 'now'>, applianceId: string, person: string): void {
  store.unit(() => {
    refuseUnknown(store, applianceId);
    for (const kind of COPY_ALARMS) store.alarms.clear(kind, applianceId, now());
    store.alarms.raise('appliance_vouched', applianceId, `by ${person}`, now());
    store.alarms.clear('appliance_vouched', applianceId, now());
    store.access.add({ at: now(), action: 'appliance_vouched', subject: applianceId, person });
  });
}

/**
 * Takes an appliance out of service: nothing of its epoch is taken any more, it is told so, and nobody waits for it. What it
 * uploaded stays. A machine that is confirmed in its place later begins the next epoch.
 *
 * @throws appliance_unknown, usage
 */
export function decommissionAppliance(
  { store, now }: Pick<Records, 'store' | 'now'>,
  applianceId: string,
  o: { readonly reason: string; readonly person: string },
): DecommissionedRow {
  if (!v.is(text(MAX_REASON), o.reason))
    throw new AgentError('usage', `the reason is one line of up to ${MAX_REASON} characters`);
  return store.unit(() => {
    const binding = store.appliances.binding(applianceId);
    if (binding === null) throw new AgentError('appliance_unknown', `nothing is enrolled as ${applianceId}`);
    const at = now();
    const { reason, person } = o;
    store.appliances.decommission({ appliance_id: applianceId, epoch: binding.epoch, reason, person, at });
    for (const kind of ENDED_WITH_IT) store.alarms.clear(kind, applianceId, at);
    store.access.add({ at, action: 'appliance_decommissioned', subject: applianceId, person, detail: reason });
    return store.appliances.decommissioned(applianceId) as DecommissionedRow;
  });
}

/** Alarms that say nothing any more once nobody waits for the appliance. */
const ENDED_WITH_IT: readonly AlarmKind[] = ['appliance_silent'];

function refuseUnknown(store: Records['store'], applianceId: string): void {
  if (store.enrolments.byApplianceId(applianceId) !== null || store.appliances.binding(applianceId) !== null) return;
  throw new AgentError('appliance_unknown', `nothing is enrolled as ${applianceId}`);
}
