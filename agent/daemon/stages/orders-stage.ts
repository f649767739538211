// Carries out what was accepted. Triggered by the check-in; looks by itself for orders that wait for their time.
import { carryOutOrders, lookAfterHandedOver } from '../../orders/carry-out-orders.ts';
import type { DaemonContext } from '../context.ts';
import { orderDeps, ORDERS_LANE } from '../order-deps.ts';
import type { Stage } from '../stage.ts';

const LOOK_MS = 15_000;
/** Handlers have deadlines of their own; this is the sum that one run may take. */
const DEADLINE_MS = 300_000;

/** While something that was handed over is on its way: its end comes from outside, and nobody tells of it. */
const LOOK_AFTER_MS = 3_000;

export function ordersStage(context: DaemonContext): Stage {
  let isHandedOver = false;
  return {
    name: 'orders',
    wanted: () => context.state.enrolled !== null,
    intervalMs: () => (isHandedOver ? LOOK_AFTER_MS : LOOK_MS),
    jittered: false,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => 60_000,
    async run(signal, runId) {
      const { enrolled } = context.state;
      if (enrolled === null) return;
      const deps = orderDeps(enrolled, context, runId);
      const ended = lookAfterHandedOver(deps) + (await carryOutOrders({ ...deps, lane: ORDERS_LANE }, signal));
      isHandedOver = context.store.orders.inStates(['handed_over']).length > 0;
      // Results are worth an early check-in: Central Command lists an order until it has heard of its end.
      if (ended > 0) context.trigger('checkin');
    },
  };
}
