// What the rows of refused orders are made with: one trust root, and orders under it that differ from a good one in one thing.
import type { AcceptanceContext } from '../../../agent/guards/order-acceptance.ts';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import type { Order } from '../../../agent/wire/schemas/order.ts';
import { disruptiveOrder, NIGHT, runbookOrder } from '../../support/acceptance-fixtures.ts';
import { makeTrust, signerFrom } from '../../support/trust-fixtures.ts';

export const trust = makeTrust();
export const { keys } = trust;
export const night: Partial<AcceptanceContext> = { nowT: NIGHT };
export const pinned = (id: string) => ({ id, pinned_identity: `S-1-5-21-${id}` });

/** One order, and where it arrives. */
export interface Row {
  readonly line: string;
  readonly ctx?: Partial<AcceptanceContext>;
}
export const signed = (partial: Partial<Order>, ctx: Partial<AcceptanceContext> = {}): Row => ({
  line: trust.sign('order', trust.order(partial)),
  ctx,
});
export const unchecked = (value: unknown): Row => ({ line: trust.signUnchecked('order', value) });
export const disruptive = (o: Parameters<typeof disruptiveOrder>[1], ctx: Partial<AcceptanceContext> = {}): Row => ({
  line: trust.sign('order', disruptiveOrder(trust, o)),
  ctx: { ...night, ...ctx },
});
export const runbook = (partial: Partial<Order>, ctx: Partial<AcceptanceContext> = {}): Row => ({
  line: trust.sign('order', runbookOrder(trust, partial)),
  ctx,
});
export const outer = (change: (envelope: Record<string, unknown>) => void): Row => {
  const envelope = JSON.parse(trust.sign('order', trust.order())) as Record<string, unknown>;
  change(envelope);
  return { line: JSON.stringify(envelope) };
};
/** A root whose order role holds two services and needs both, or whose order key is limited to sites. */
export const twoServices = makeTrust({
  change(root) {
    const second = signerFrom('second order key');
    root.persons.push({ id: 'central-2', name: 'Second service', kind: 'service' });
    root.keys.push({ keyid: second.keyid, spki: second.spki, person: 'central-2' });
    root.roles.order = { threshold: 2, keyids: [...root.roles.order.keyids, second.keyid] };
  },
});
export const limited = (sites: string[]) =>
  makeTrust({
    change(root) {
      for (const key of root.keys) if (root.roles.order.keyids.includes(key.keyid)) key.sites = sites;
    },
  }).root.root;
export const limitedOperators = makeTrust({
  change(root) {
    for (const key of root.keys) if (root.roles.operator.keyids.includes(key.keyid)) key.sites = ['other-site'];
  },
}).root.root;

/** What it has, the code that it is refused with, and the order. */
export type Refusal = readonly [string, ErrorCode, () => Row];
