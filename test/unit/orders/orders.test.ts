import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import type { AcceptanceContext } from '../../../agent/guards/order-verdict.ts';
import type { CarryOutDeps } from '../../../agent/orders/carry-out-orders.ts';
import { carryOutOrders, recoverOrders } from '../../../agent/orders/carry-out-orders.ts';
import type { ActOutcome, OrderHandler } from '../../../agent/orders/order-handler.ts';
import { orderReport } from '../../../agent/orders/order-report.ts';
import { MAX_REFUSALS_PER_HOUR, receiveOrders } from '../../../agent/orders/receive-orders.ts';
import type { Order } from '../../../agent/wire/schemas/order.ts';
import { acceptanceContext } from '../../support/acceptance-fixtures.ts';
import type { OpenLog } from '../../support/evidence-fixtures.ts';
import { openLog, statementsOf, trust, verdictOn, withDir, withLog } from '../../support/evidence-fixtures.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { NOW, uuidOf } from '../../support/trust-fixtures.ts';

const orderLine = (n: number, partial: Partial<Order> = {}): string =>
  trust.sign('order', trust.order({ order_id: uuidOf(n), seq: n, ...partial }));

/** A line that differs with `n` and that no order key signed. */
const forged = (n: number): string =>
  trust.sign('order', trust.order({ order_id: uuidOf(n), seq: n }), trust.keys['device']!);

function appliance({ store, log, clock }: OpenLog, over: Partial<AcceptanceContext> = {}) {
  const memory = memoryLog();
  const now = (): number => Math.floor(clock.wallMs() / 1_000);
  const acceptance = (): AcceptanceContext =>
    acceptanceContext(trust, { floor: store.orders.floor(1), nowT: now(), ...over });
  const acts: string[] = [];
  const handler = (act: (order: Order, signal: AbortSignal) => Promise<ActOutcome>): OrderHandler => ({
    kind: 'run_check',
    does: 'work',
    deadlineMs: 60_000,
    act: (order, signal) => {
      acts.push(order.order_id);
      return act(order, signal);
    },
    verify: () => ({ looked: true }),
  });
  const deps = (act: OrderHandler | null, instance = 'first'): CarryOutDeps => ({
    store,
    evidence: log,
    log: memory,
    clock,
    acceptance,
    handlers: new Map(act === null ? [] : [[act.kind, act]]),
    instance,
  });
  return {
    acts,
    deps,
    handler,
    done: handler(() => Promise.resolve({ kind: 'done', sentence: 'It was done.', result: { n: 1 } })),
    receive: (...lines: string[]) => receiveOrders(lines, { store, evidence: log, log: memory, acceptance, now }),
    run: (act: OrderHandler, signal = new AbortController().signal) => carryOutOrders(deps(act), signal),
    steps: () =>
      statementsOf(store).flatMap(({ predicate }) =>
        predicate.kind === 'order'
          ? [`${predicate.order_seq ?? '-'} ${predicate.state} ${predicate.code ?? ''}`.trim()]
          : [],
      ),
  };
}

/** As Central Command does: everything reported was answered. */
const reportAll = ({ store }: OpenLog): void => {
  store.orders.markReported(store.orders.unreported(1_000).map((row) => row.key));
};

describe('receiving orders', () => {
  it('takes orders by ascending seq, in whatever order the answer lists them', () =>
    withLog((open) => {
      const site = appliance(open);
      expect(site.receive(orderLine(3), orderLine(1), orderLine(2))).toMatchObject({ accepted: 3, refused: 0 });
      expect(site.steps()).toEqual(['1 accepted', '2 accepted', '3 accepted']);
      expect(open.store.orders.floor(1)).toBe(3);
    }));

  it('an order that Central lists again until it has heard of the result is neither run twice nor called a replay', () =>
    withLog(async (open) => {
      const site = appliance(open);
      site.receive(orderLine(1));
      site.receive(orderLine(1));
      await site.run(site.done);
      site.receive(orderLine(1));
      await site.run(site.done);
      expect(site.acts).toEqual([uuidOf(1)]);
      expect(site.steps()).toEqual(['1 accepted', '1 started', '1 result']);
    }));

  it('an order that comes again after its result was reported is refused as a replay, once', () =>
    withLog(async (open) => {
      const site = appliance(open);
      site.receive(orderLine(1));
      await site.run(site.done);
      reportAll(open);
      site.receive(orderLine(1));
      site.receive(orderLine(1));
      expect(site.steps().slice(3)).toEqual(['1 refused order_replayed']);
      expect(site.acts).toHaveLength(1);
    }));

  it('of two orders with one seq only the first is accepted', () =>
    withLog((open) => {
      const site = appliance(open);
      site.receive(orderLine(1), orderLine(1, { order_id: uuidOf(77) }));
      expect(site.steps()).toEqual(['1 accepted', '1 refused order_replayed']);
    }));

  it('another order under an id that was accepted before is refused, and the rest of the answer is taken', () =>
    withLog((open) => {
      const site = appliance(open);
      site.receive(orderLine(1));
      const counts = site.receive(orderLine(2, { order_id: uuidOf(1) }), orderLine(3));
      expect(counts).toMatchObject({ accepted: 1, refused: 1 });
      expect(site.steps()).toEqual(['1 accepted', '2 refused order_id_reused', '3 accepted']);
    }));

  it('a refusal is recorded once for one payload and code, however often it is sent', () =>
    withLog((open) => {
      const site = appliance(open);
      for (let i = 0; i < 5; i += 1) site.receive(forged(1));
      expect(site.steps()).toEqual(['- refused order_signature_invalid']);
    }));

  it('a bad order among good ones does not keep the good ones from being taken', () =>
    withLog((open) => {
      const site = appliance(open);
      const counts = site.receive('{"no":"envelope"}', orderLine(1), forged(9), orderLine(2));
      expect(counts).toMatchObject({ accepted: 2, refused: 2 });
    }));

  it('a flood of forgeries fills neither log nor disk: beyond a number an hour they are counted only', () =>
    withLog((open) => {
      const site = appliance(open);
      const flood = Array.from({ length: MAX_REFUSALS_PER_HOUR + 30 }, (_, n) => `{"no":"envelope ${n}"}`);
      expect(site.receive(...flood)).toMatchObject({ refused: MAX_REFUSALS_PER_HOUR, unrecorded: 30 });
      expect(site.steps()).toHaveLength(MAX_REFUSALS_PER_HOUR);
      expect(site.receive(orderLine(1)).accepted).toBe(1);
    }));

  it('after an hour refusals are recorded again', () =>
    withLog(async (open) => {
      const site = appliance(open);
      const flood = (word: string) => Array.from({ length: MAX_REFUSALS_PER_HOUR }, (_, n) => `{"${word}":"${n}"}`);
      site.receive(...flood('a'));
      await open.clock.advance(3_601_000);
      expect(site.receive(...flood('b'))).toMatchObject({ refused: MAX_REFUSALS_PER_HOUR, unrecorded: 0 });
    }));

  it('without signed time nothing is accepted, nothing is refused for good, and the order is taken when time is known', () =>
    withLog((open) => {
      const line = orderLine(1);
      expect(appliance(open, { nowT: null }).receive(line)).toMatchObject({ accepted: 0, refused: 0, waiting: 1 });
      expect(appliance(open).receive(line)).toMatchObject({ accepted: 1 });
    }));

  it('the reports of a check-in name acceptance, result and refusal with their entries', () =>
    withLog(async (open) => {
      const site = appliance(open);
      site.receive(orderLine(1), forged(2));
      await site.run(site.done);
      const reports = open.store.orders.unreported(10).map(orderReport);
      expect(reports).toEqual([
        expect.objectContaining({ order_id: uuidOf(1), state: 'result', outcome: 'success', evidence_seq: 4 }),
        expect.objectContaining({ order_id: null, state: 'refused', code: 'order_signature_invalid', evidence_seq: 2 }),
      ]);
    }));
});

describe('carrying out orders', () => {
  it('an order that expired while it waited is not carried out, and its result says expired', () =>
    withLog(async (open) => {
      const site = appliance(open);
      site.receive(orderLine(1));
      await open.clock.advance(700_000);
      await site.run(site.done);
      expect(site.acts).toEqual([]);
      expect(open.store.orders.byId(uuidOf(1))).toMatchObject({
        state: 'result',
        outcome: 'expired',
        code: 'order_expired',
      });
    }));

  it('an order that was changed on the disk after it was accepted is not carried out', () =>
    withLog(async (open) => {
      const site = appliance(open);
      const { order_id } = trust.order({ order_id: uuidOf(1) });
      const entry = open.log.append('order', {
        order_digest: 'ab'.repeat(32),
        order_id,
        order_seq: 1,
        order_kind: 'run_check',
        state: 'accepted',
        sentence: 'The order run_check was accepted.',
      });
      open.store.orders.insert({
        orderId: order_id,
        epoch: 1,
        seq: 1,
        digest: 'ab'.repeat(32),
        kind: 'run_check',
        line: forged(1),
        state: 'accepted',
        evidenceSeq: entry.seq,
        at: NOW,
      });
      await site.run(site.done);
      expect(site.acts).toEqual([]);
      expect(open.store.orders.byId(order_id)).toMatchObject({ outcome: 'rejected', code: 'order_signature_invalid' });
    }));

  it('what a handler throws becomes a failed result with its code, after a look at what it left', () =>
    withLog(async (open) => {
      const site = appliance(open);
      site.receive(orderLine(1), orderLine(2));
      let n = 0;
      await site.run(
        site.handler(() => {
          n += 1;
          return Promise.reject(n === 1 ? new AgentError('store_full', 'no room') : new TypeError('defect'));
        }),
      );
      expect(open.store.orders.byId(uuidOf(1))).toMatchObject({ outcome: 'failed', code: 'store_full' });
      expect(open.store.orders.byId(uuidOf(2))).toMatchObject({ outcome: 'failed', code: 'order_handler_failed' });
      const results = statementsOf(open.store).filter(
        ({ predicate }) => predicate.kind === 'order' && predicate.state === 'result',
      );
      expect(
        results.every(({ predicate }) => predicate.kind === 'order' && predicate.result?.['looked'] === true),
      ).toBe(true);
    }));

  it('stopping the agent ends a running order as failed and interrupted, and leaves the next one for later', () =>
    withLog(async (open) => {
      const site = appliance(open);
      site.receive(orderLine(1), orderLine(2));
      const stop = new AbortController();
      const ended = site.run(
        site.handler((_order, signal) => {
          stop.abort();
          return Promise.reject(signal.reason as Error);
        }),
        stop.signal,
      );
      expect(await ended).toBe(1);
      expect(open.store.orders.byId(uuidOf(1))).toMatchObject({ outcome: 'failed', code: 'order_interrupted' });
      expect(open.store.orders.byId(uuidOf(2))).toMatchObject({ state: 'accepted' });
    }));

  it('a change of the store and the result of its order are committed together or not at all', () =>
    withLog(async (open) => {
      const site = appliance(open);
      site.receive(orderLine(1));
      const handler: OrderHandler = {
        kind: 'run_check',
        does: 'store_change',
        act: () => {
          open.store.settings.set('changed', 'yes');
          throw new TypeError('defect after the change');
        },
        verify: () => ({ changed: open.store.settings.get('changed') !== null }),
      };
      await expect(site.run(handler)).rejects.toThrow(TypeError);
      expect(open.store.settings.get('changed')).toBeNull();
      expect(open.store.orders.byId(uuidOf(1))).toMatchObject({ state: 'started' });
    }));
});

describe('orders after a crash', () => {
  /** Receives and starts order 1, then reopens the store as the next process would. */
  const afterCrash = (in_: 'accepted' | 'started', then: (open: OpenLog) => void | Promise<void>): Promise<void> =>
    withDir(async (dir) => {
      const first = openLog(dir);
      const site = appliance(first);
      site.receive(orderLine(1));
      if (in_ === 'started') first.store.orders.setState(uuidOf(1), { state: 'started', at: NOW });
      first.store.close();
      const next = openLog(dir, first.clock);
      try {
        await then(next);
        expect(verdictOn(next.store)).toMatchObject({ ok: true });
      } finally {
        next.store.close();
      }
    });

  it('an order that was only accepted is carried out by the next process', () =>
    afterCrash('accepted', async (open) => {
      const site = appliance(open);
      expect(recoverOrders(site.deps(site.done))).toBe(0);
      await site.run(site.done);
      expect(site.acts).toEqual([uuidOf(1)]);
    }));

  it('an order that had been started is verified, ended as failed and interrupted, and never run again', () =>
    afterCrash('started', async (open) => {
      const site = appliance(open);
      expect(recoverOrders(site.deps(site.done))).toBe(1);
      site.receive(orderLine(1));
      await site.run(site.done);
      expect(site.acts).toEqual([]);
      expect(open.store.orders.byId(uuidOf(1))).toMatchObject({ outcome: 'failed', code: 'order_interrupted' });
      const last = statementsOf(open.store).at(-1)?.predicate;
      expect(last?.kind === 'order' && last.result).toEqual({ looked: true });
    }));

  it('an order whose act plainly was done before the process ended is a success, and is not run again', () =>
    afterCrash('started', async (open) => {
      const site = appliance(open);
      const sure: OrderHandler = {
        ...site.done,
        does: 'work',
        deadlineMs: 1_000,
        act: () => Promise.reject(new Error('never again')),
        settle: () => ({ kind: 'done', sentence: 'It had been done.', result: { n: 2 } }),
      };
      expect(recoverOrders(site.deps(sure))).toBe(1);
      await site.run(sure);
      expect(open.store.orders.byId(uuidOf(1))).toMatchObject({ state: 'result', outcome: 'success' });
      expect(site.steps().at(-1)).toBe('1 result');
    }));

  it('a restart that was handed over succeeds with the next process, and fails when that comes too late', () =>
    withLog(async (open) => {
      const site = appliance(open);
      site.receive(orderLine(1), orderLine(2));
      const handOver = site.handler(() =>
        Promise.resolve({ kind: 'handed_over', sentence: 'It ends.', expected: 'new process', withinS: 60 }),
      );
      await site.run(handOver);
      expect(recoverOrders(site.deps(handOver, 'first'))).toBe(2);
      expect(open.store.orders.byId(uuidOf(1))).toMatchObject({ state: 'handed_over' });
      recoverOrders(site.deps(handOver, 'second'));
      expect(open.store.orders.byId(uuidOf(1))).toMatchObject({ state: 'result', outcome: 'success' });
    }));

  it('a restart that comes back after its deadline has failed', () =>
    withLog(async (open) => {
      const site = appliance(open);
      site.receive(orderLine(1));
      await site.run(
        site.handler(() =>
          Promise.resolve({ kind: 'handed_over', sentence: 'It ends.', expected: 'new process', withinS: 60 }),
        ),
      );
      await open.clock.advance(61_000);
      recoverOrders(site.deps(site.done, 'second'));
      expect(open.store.orders.byId(uuidOf(1))).toMatchObject({ outcome: 'failed', code: 'restart_not_seen' });
    }));
});
