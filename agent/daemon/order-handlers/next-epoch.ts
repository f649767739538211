// Order kinds `rotate_device_key` and `new_epoch`: the next epoch of the log begins, with a new device key that the old one vouches
// for. Both are disruptive, so two people have authorised them; what comes of it is provisional until people confirm the new key,
// which nobody could know before it was made (docs/decisions/0015-…). One log has one key, so the two differ in what was wanted
// of them: only a rotation removes the key before, once the epoch is confirmed.
import type { OrderHandler } from '../../orders/order-handler.ts';
import { PROVISIONAL_INTERVAL_S } from '../../trust/succession.ts';
import type { Order } from '../../wire/schemas/order.ts';
import type { Enrolled } from '../agent-state.ts';
import type { DaemonContext } from '../context.ts';
import { nowSeconds } from '../context.ts';
import { openedEpoch, type OrderedEpoch } from '../epoch-state.ts';
import { usesKnownSince } from '../epoch-state.ts';
import { endOf, mayOpenNextEpoch, openNextEpoch } from '../open-next-epoch.ts';
import { openStoredBinding } from '../stored-binding.ts';

/** One key and one transaction; the time is the disk's. */
const DEADLINE_MS = 30_000;

/** `cause` in entry 0 of the epoch. */
export const CAUSE_OF = { rotate_device_key: 'device_key_rotated', new_epoch: 'epoch_ordered' } as const;
type Kind = keyof typeof CAUSE_OF;

/**
 * @param enrolled whose log the order stands in
 */
export function nextEpochHandler(kind: Kind, enrolled: Enrolled, context: DaemonContext): OrderHandler {
  const { store } = context;
  const verify = (order: Order) => {
    const opened = openedEpoch(store);
    const isDone = opened?.ordered?.orderId === order.order_id;
    return isDone ? { epoch: opened.epoch, opened: true } : { opened: false };
  };
  const done = (order: Order) => ({
    kind: 'done' as const,
    sentence: 'The next epoch of the log has begun with a new device key; it is provisional until people confirm it.',
    result: verify(order),
  });
  return {
    kind,
    does: 'work',
    deadlineMs: DEADLINE_MS,
    act(order) {
      if (!mayBegin(context)) {
        const sentence =
          'The epoch of the log is provisional and less than a day old: the next one would not be accepted.';
        return Promise.resolve({ kind: 'failed', code: 'epoch_too_soon', sentence, result: verify(order) });
      }
      const identity = store.trust.identity() ?? enrolled.identity;
      const ordered: OrderedEpoch = {
        orderId: order.order_id,
        kind,
        usesKnownSince: usesKnownSince(store, identity) ?? null,
      };
      context.state.enrolled = openNextEpoch(context, identity, endOf(store, identity, CAUSE_OF[kind]), ordered);
      context.state.care.checksAsked += 1;
      context.trigger('checks');
      context.trigger('checkin');
      return Promise.resolve(done(order));
    },
    verify,
    // The epoch names its order, and began whole or not at all: a process that ended right then leaves no doubt.
    settle: (order) => (verify(order).opened ? done(order) : null),
  };
}

/** As Central Command and every verifier count it: from the binding, where that is provisional. */
function mayBegin({ store, clock }: DaemonContext): boolean {
  const now = nowSeconds(clock);
  const identity = store.trust.identity();
  if (identity === null || openedEpoch(store)?.status === 'unbound') return false;
  const { value } = openStoredBinding(store, identity.bindingLine);
  if (value.status !== 'provisional') return true;
  return mayOpenNextEpoch(store, now) && now - value.issued_at >= PROVISIONAL_INTERVAL_S;
}
