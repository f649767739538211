import { expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import type { EvidenceLog } from '../../../agent/evidence/log.ts';
import { carryOutOrders } from '../../../agent/orders/carry-out-orders.ts';
import type { OrderHandler } from '../../../agent/orders/order-handler.ts';
import { receiveOrders } from '../../../agent/orders/receive-orders.ts';
import { acceptanceContext } from '../../support/acceptance-fixtures.ts';
import { statementsOf, trust, withLog } from '../../support/evidence-fixtures.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { NOW } from '../../support/trust-fixtures.ts';

it('an order whose start cannot be recorded is not begun, and is carried out once it can be', () =>
  withLog(async ({ store, log, clock }) => {
    let isFull = true;
    const append: EvidenceLog['append'] = (...entry) => {
      if (isFull) throw new AgentError('store_full', 'the disk under the store is full');
      return log.append(...entry);
    };
    const memory = memoryLog();
    const acceptance = () => acceptanceContext(trust, { floor: store.orders.floor(1) });
    const line = trust.sign('order', trust.order());
    receiveOrders([line], { store, evidence: log, log: memory, acceptance, now: () => NOW });
    let acts = 0;
    const handler: OrderHandler = {
      kind: 'run_check',
      does: 'work',
      deadlineMs: 60_000,
      act: () => {
        acts += 1;
        return Promise.resolve({ kind: 'done', sentence: 'It was done.', result: {} });
      },
      verify: () => ({}),
    };
    const handlers = new Map([[handler.kind, handler]]);
    const deps = { store, evidence: { append }, log: memory, clock, acceptance, handlers, instance: 'first' };
    const { signal } = new AbortController();
    await expectCodeAsync(carryOutOrders(deps, signal), 'store_full');
    expect([acts, store.orders.inStates(['accepted']).length]).toEqual([0, 1]);
    isFull = false;
    expect(await carryOutOrders(deps, signal)).toBe(1);
    expect(acts).toBe(1);
    const states = statementsOf(store).flatMap(({ predicate }) =>
      predicate.kind === 'order' ? [predicate.state] : [],
    );
    expect(states).toEqual(['accepted', 'started', 'result']);
  }));
