// What an appliance of the trust fixtures judges orders by. For tests only.
import type { AcceptanceContext } from '../../agent/guards/order-acceptance.ts';
import { ORDER_KINDS, type Authorisation, type Order } from '../../agent/wire/schemas/order.ts';
import type { Signer } from '../../agent/wire/dsse.ts';
import { APPLIANCE, DISRUPTIVE_RUNBOOK, NOW, PARTNER, RUNBOOK, SITE, type Trust } from './trust-fixtures.ts';

/** 23:00 UTC on the day of NOW: inside the window of the fixture's site policy. */
export const NIGHT = NOW + 11 * 3_600;

/** An appliance that takes every kind, knows the time, and has content list and site policy. */
export function acceptanceContext(trust: Trust, partial: Partial<AcceptanceContext> = {}): AcceptanceContext {
  return {
    root: trust.root.root,
    revokedKeyids: new Set(),
    partnerId: PARTNER,
    siteId: SITE,
    applianceId: APPLIANCE,
    epoch: 1,
    floor: 0,
    nowT: NOW,
    content: trust.contentList(),
    policy: trust.policy(),
    healingPaused: false,
    clockSound: true,
    usedAuthorisations: new Set(),
    supportedKinds: new Set(ORDER_KINDS),
    ...partial,
  };
}

/** A routine order that runs a listed runbook. */
export function runbookOrder(trust: Trust, partial: Partial<Order> = {}): Order {
  return trust.order({ kind: 'run_runbook', class: 'routine', runbook: RUNBOOK, ...partial });
}

/** A disruptive order for the night, with an authorisation of the same act; `change` bends the authorisation. */
export function disruptiveOrder(
  trust: Trust,
  o: { order?: Partial<Order>; authorisation?: Partial<Authorisation>; signers?: Signer[] } = {},
): Order {
  const times = { issued_at: NIGHT - 10, not_before: NIGHT - 10, expires_at: NIGHT + 600 };
  const order = trust.order({ kind: 'reboot', class: 'disruptive', ...times, ...o.order });
  const authorisation = trust.authorisation({
    kind: order.kind,
    params: order.params,
    targets: order.targets,
    window: order.window,
    ...(order.runbook === undefined ? {} : { runbook: order.runbook }),
    ...o.authorisation,
  });
  return { ...order, authorisation: trust.embed('authorisation', authorisation, ...(o.signers ?? [])) };
}

/** A disruptive runbook on one target whose identity is pinned. */
export const PATCH_ORDER: Partial<Order> = {
  kind: 'run_runbook',
  runbook: DISRUPTIVE_RUNBOOK,
  targets: [{ id: 'dc-1', pinned_identity: 'S-1-5-21-1-2-3' }],
};
