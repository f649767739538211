import { describe, expect, it } from 'vitest';
import { carryOutOrders } from '../../../agent/orders/carry-out-orders.ts';
import type { OrderHandler } from '../../../agent/orders/order-handler.ts';
import { receiveOrders } from '../../../agent/orders/receive-orders.ts';
import { acceptanceContext } from '../../support/acceptance-fixtures.ts';
import { statementsOf, trust, withLog } from '../../support/evidence-fixtures.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { NOW, uuidOf } from '../../support/trust-fixtures.ts';

/** Real time: the deadline of a handler is a timer of the system. */
const SHORT_MS = 20;

describe('an order that takes too long', () => {
  it('is aborted at the deadline of its handler, verified, and ends as failed; the order after it is carried out', () =>
    withLog(async ({ store, log: evidence, clock }) => {
      const log = memoryLog();
      const acceptance = () => acceptanceContext(trust, { floor: store.orders.floor(1) });
      const lines = [1, 2].map((n) => trust.sign('order', trust.order({ order_id: uuidOf(n), seq: n })));
      receiveOrders(lines, { store, evidence, log, acceptance, now: () => NOW });
      let runs = 0;
      const handler: OrderHandler = {
        kind: 'run_check',
        does: 'work',
        deadlineMs: SHORT_MS,
        act: (_order, signal) => {
          runs += 1;
          if (runs > 1) return Promise.resolve({ kind: 'done', sentence: 'It was done.', result: {} });
          return new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
          });
        },
        verify: () => ({ looked: true }),
      };
      const handlers = new Map([[handler.kind, handler]]);
      const deps = { store, evidence, log, clock, acceptance, handlers, instance: 'first' };
      expect(await carryOutOrders(deps, new AbortController().signal)).toBe(2);
      expect(store.orders.byId(uuidOf(1))).toMatchObject({
        state: 'result',
        outcome: 'failed',
        code: 'order_deadline',
      });
      expect(store.orders.byId(uuidOf(2))).toMatchObject({ state: 'result', outcome: 'success' });
      const result = statementsOf(store).find(
        ({ predicate }) => predicate.kind === 'order' && predicate.state === 'result' && predicate.order_seq === 1,
      );
      expect(result?.predicate).toMatchObject({ code: 'order_deadline', result: { looked: true } });
    }));
});
