// Carries out accepted orders, one after the other: judged again, `started` committed, then the act, then its result committed.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { CODES } from '../errors/codes.ts';
import type { Accepted, AcceptanceContext } from '../guards/order-verdict.ts';
import { acceptOrder } from '../guards/order-acceptance.ts';
import type { EvidenceLog } from '../evidence/log.ts';
import type { OrderRow, Store } from '../store/open-store.ts';
import type { Clock, Log } from '../system/ports.ts';
import { parseEnvelope } from '../wire/dsse.ts';
import { parseDocument } from '../wire/document.ts';
import type { ActionOutcome } from '../wire/schemas/primitives.ts';
import type { OrderKind } from '../wire/schemas/order.ts';
import { orderEntry } from './order-entry.ts';
import type { ActOutcome, HandedOver, LongHandler, OrderHandler, OrderResult } from './order-handler.ts';

export interface CarryOutDeps {
  readonly store: Store;
  readonly evidence: Pick<EvidenceLog, 'append'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly acceptance: () => AcceptanceContext;
  readonly handlers: ReadonlyMap<OrderKind, OrderHandler>;
  /** Kinds that this caller carries out; absent: all. Long ones have a lane of their own, so that others pass them. */
  readonly lane?: ReadonlySet<OrderKind>;
  /** Changes with every start of the process. */
  readonly instance: string;
}

interface End {
  readonly outcome: ActionOutcome;
  readonly code?: string;
  readonly sentence: string;
  readonly result?: OrderResult;
}

/** An order's line is at most this long (design: 64 KiB). */
const MAX_LINE_BYTES = 65_536;

/** Runs until no accepted order is left or `signal` fires. Returns how many ended. */
export async function carryOutOrders(deps: CarryOutDeps, signal: AbortSignal): Promise<number> {
  let ended = 0;
  for (const row of deps.store.orders.inStates(['accepted'])) {
    if (signal.aborted) break;
    if (deps.lane?.has(row.kind as OrderKind) === false) continue;
    if (await carryOut(row, deps, signal)) ended += 1;
  }
  return ended;
}

async function carryOut(row: OrderRow, deps: CarryOutDeps, signal: AbortSignal): Promise<boolean> {
  // The journal lies on a disk: what is carried out is verified again from its bytes, by the rules and the time of now.
  const usedAuthorisations = new Set(deps.store.orders.usedAuthorisations(row.digest));
  const verdict = acceptOrder(row.line, { ...deps.acceptance(), floor: row.seq - 1, usedAuthorisations });
  switch (verdict.verdict) {
    case 'not_yet':
    case 'deferred':
      return false;
    case 'refused':
      endOrder(row, deps, { outcome: verdict.outcome, code: verdict.code, sentence: verdict.sentence });
      return true;
    case 'accepted':
      break;
  }
  const handler = deps.handlers.get(verdict.order.kind);
  if (handler === undefined) throw new AgentError('internal', `no handler for the order kind ${verdict.order.kind}`);
  commitStarted(row, deps);
  if (handler.does === 'store_change') {
    deps.store.unit(() => commitOutcome(row, deps, handler.act(verdict.order, nowSeconds(deps.clock))));
    return true;
  }
  commitOutcome(row, deps, await actWithDeadline(handler, verdict, signal));
  return true;
}

async function actWithDeadline(
  handler: LongHandler,
  { order, digest, authorisationDigest }: Accepted,
  signal: AbortSignal,
): Promise<ActOutcome> {
  const deadlineMs = typeof handler.deadlineMs === 'number' ? handler.deadlineMs : handler.deadlineMs(order);
  const deadline = AbortSignal.timeout(deadlineMs);
  try {
    return await handler.act(order, AbortSignal.any([signal, deadline]), { digest, authorisationDigest });
  } catch (error) {
    const result = handler.verify(order);
    if (signal.aborted) {
      return {
        kind: 'failed',
        code: 'order_interrupted',
        sentence: 'The agent was stopped while the order ran.',
        result,
      };
    }
    if (deadline.aborted) {
      const sentence = `The order was not done within ${Math.round(deadlineMs / 1_000)} s.`;
      return { kind: 'failed', code: 'order_deadline', sentence, result };
    }
    // The message may repeat what a system or a tool said, and with it anything: evidence says what the code means.
    const code = isAgentError(error) ? error.code : 'order_handler_failed';
    const sentence = CODES[code].when;
    return { kind: 'failed', code, sentence, result };
  }
}

function commitStarted(row: OrderRow, deps: CarryOutDeps): void {
  deps.store.unit(() => {
    const entry = deps.evidence.append('order', stepEntry(row, 'started', `The order ${row.kind} was started.`));
    deps.store.orders.setState(row.orderId, { state: 'started', evidenceSeq: entry.seq, at: nowSeconds(deps.clock) });
  });
}

function commitOutcome(row: OrderRow, deps: CarryOutDeps, outcome: ActOutcome): void {
  switch (outcome.kind) {
    case 'done':
      endOrder(row, deps, { outcome: 'success', sentence: outcome.sentence, result: outcome.result });
      return;
    case 'failed':
    case 'ended':
      endOrder(row, deps, {
        outcome: outcome.kind === 'failed' ? 'failed' : outcome.outcome,
        code: outcome.code,
        sentence: outcome.sentence,
        result: outcome.result,
      });
      return;
    case 'handed_over': {
      const at = nowSeconds(deps.clock);
      const left: HandedOver = {
        boot_id: deps.clock.bootId(),
        instance: deps.instance,
        expected: outcome.expected,
        deadline: at + outcome.withinS,
        ...(outcome.run === undefined ? {} : { run: outcome.run }),
      };
      deps.store.unit(() => {
        const entry = deps.evidence.append('order', stepEntry(row, 'handed_over', outcome.sentence));
        deps.store.orders.setState(row.orderId, {
          state: 'handed_over',
          evidenceSeq: entry.seq,
          at,
          detail: JSON.stringify(left),
        });
      });
      deps.log.info('order handed over', { order_id: row.orderId, kind: row.kind, expected: outcome.expected });
    }
  }
}

/** Called once at start, before anything new is taken: what an earlier process began is verified and ended, never run again. */
export function recoverOrders(deps: CarryOutDeps): number {
  const rows = deps.store.orders.inStates(['started', 'handed_over']);
  for (const row of rows) {
    if (row.state === 'handed_over') endHandedOver(row, deps);
    else endInterrupted(row, deps);
  }
  return rows.length;
}

/** Called from time to time: what was handed over and has come to its end since. Returns how many ended. */
export function lookAfterHandedOver(deps: CarryOutDeps): number {
  return deps.store.orders.inStates(['handed_over']).filter((row) => endHandedOver(row, deps)).length;
}

function endInterrupted(row: OrderRow, deps: CarryOutDeps): void {
  const order = parseDocument('order', parseEnvelope(row.line, { maxBytes: MAX_LINE_BYTES }).payload);
  const handler = deps.handlers.get(order.kind);
  const settled = handler?.does === 'work' ? (handler.settle?.(order) ?? null) : null;
  if (settled !== null) {
    commitOutcome(row, deps, settled);
    return;
  }
  endOrder(row, deps, {
    outcome: 'failed',
    code: 'order_interrupted',
    sentence: 'The agent ended while the order ran; it was not run again.',
    ...(handler === undefined ? {} : { result: handler.verify(order) }),
  });
}

/** True where it ended now. */
function endHandedOver(row: OrderRow, deps: CarryOutDeps): boolean {
  const left = JSON.parse(row.detail ?? '{}') as Partial<HandedOver>;
  const late = left.deadline === undefined || nowSeconds(deps.clock) > left.deadline;
  const isNewProcess = left.instance !== deps.instance;
  const isSameBoot = left.boot_id === deps.clock.bootId();
  const handler = deps.handlers.get(row.kind as OrderKind);
  if (handler?.does === 'work' && handler.lookAfter !== undefined) {
    const order = parseDocument('order', parseEnvelope(row.line, { maxBytes: MAX_LINE_BYTES }).payload);
    const seen = { left: left as HandedOver, isSameBoot, isNewProcess, isLate: late };
    const outcome = handler.lookAfter(order, seen);
    if (outcome !== null) commitOutcome(row, deps, outcome);
    return outcome !== null;
  }
  if (!isNewProcess) return false;
  const result: OrderResult = {
    same_boot: isSameBoot,
    new_process: true,
    within_deadline: !late,
  };
  if (late) {
    const sentence = 'The agent came back, but later than the order allowed.';
    endOrder(row, deps, { outcome: 'failed', code: 'restart_not_seen', sentence, result });
  } else {
    endOrder(row, deps, { outcome: 'success', sentence: 'The agent came back as a new process.', result });
  }
  return true;
}

function endOrder(row: OrderRow, deps: CarryOutDeps, end: End): void {
  deps.store.unit(() => {
    const entry = deps.evidence.append(
      'order',
      orderEntry({ digest: row.digest, order: idsOf(row), state: 'result', ...end }),
    );
    deps.store.orders.setState(row.orderId, {
      state: 'result',
      outcome: end.outcome,
      ...(end.code === undefined ? {} : { code: end.code }),
      sentence: end.sentence,
      evidenceSeq: entry.seq,
      at: nowSeconds(deps.clock),
    });
  });
  const fields = { order_id: row.orderId, kind: row.kind, outcome: end.outcome, code: end.code };
  if (end.outcome === 'success') deps.log.info('order done', fields);
  else deps.log.warn('order not done', fields);
}

const idsOf = (row: OrderRow): { order_id: string; seq: number; kind: OrderKind } => ({
  order_id: row.orderId,
  seq: row.seq,
  kind: row.kind as OrderKind,
});

const stepEntry = (row: OrderRow, state: 'started' | 'handed_over', sentence: string): ReturnType<typeof orderEntry> =>
  orderEntry({ digest: row.digest, order: idsOf(row), state, sentence });

const nowSeconds = (clock: Clock): number => Math.floor(clock.wallMs() / 1_000);
