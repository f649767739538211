// The cycle: at each tick, every stage that is due is started on its own. No stage waits for another, none can stop another.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { StageStatus } from '../system/status-file.ts';
import type { Clock, Ids, Log, Ticker } from '../system/ports.ts';
import type { Stage, StageName, StageState, Timing } from './stage.ts';
import { afterFailure, afterSuccess, firstState, isDue } from './stage.ts';
import { NOTHING_USED, plus, since, usedByProcess, type Used } from './used-by-process.ts';

export interface CycleDeps {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly ticker: Ticker;
  readonly log: Log;
  /** Called after each run of a stage, and never throws. */
  readonly afterRun: (name: StageName, error: AgentError | null) => void;
}

export interface Cycle {
  start(): void;
  /** Makes a stage due at the next tick. */
  trigger(name: StageName): void;
  /** Aborts what runs, waits for it to end (at most `withinMs`), starts nothing more. True when all ended. */
  stop(withinMs: number): Promise<boolean>;
  statuses(): StageStatus[];
}

interface Slot {
  readonly stage: Stage;
  state: StageState;
  promise: Promise<void> | null;
  overrunSaid: boolean;
  /** Triggered while it ran: it runs once more right away. */
  again: boolean;
  /** What the process used in all its runs that are over. */
  used: Used;
  /** What the process had used when its present run began. */
  usedBefore: Used;
}

/** A run that ignores its abort for so long is said to have overrun; its stage stays occupied until it ends. */
const OVERRUN_GRACE_MS = 5_000;

export function createCycle(stages: readonly Stage[], deps: CycleDeps): Cycle {
  const { clock, log } = deps;
  const shutdown = new AbortController();
  const slots = new Map<StageName, Slot>(
    stages.map((stage) => [
      stage.name,
      {
        stage,
        state: firstState(clock.monoMs()),
        promise: null,
        overrunSaid: false,
        again: false,
        used: NOTHING_USED,
        usedBefore: NOTHING_USED,
      },
    ]),
  );
  let stopTicker: (() => void) | null = null;

  const timing = (stage: Stage): Timing => ({
    nowMs: clock.monoMs(),
    intervalMs: stage.intervalMs(),
    longestPauseMs: stage.longestPauseMs(),
    jittered: stage.jittered,
    random: deps.ids.random(),
  });

  const runSlot = async (slot: Slot): Promise<void> => {
    const { stage } = slot;
    const runId = deps.ids.uuidv7();
    const deadline = new AbortController();
    const timer = new AbortController();
    clock.sleep(stage.deadlineMs, timer.signal).then(
      () => deadline.abort(new AgentError('stage_overrun', `the stage ${stage.name} reached its deadline`)),
      () => undefined,
    );
    let failure: AgentError | null = null;
    try {
      const result = await stage.run(AbortSignal.any([shutdown.signal, deadline.signal]), runId);
      slot.state = afterSuccess(slot.state, result, timing(stage));
    } catch (error) {
      failure = asAgentError(error, stage, deadline.signal.aborted);
      slot.state = afterFailure(slot.state, { code: failure.code, sentence: failure.message }, timing(stage));
      if (!shutdown.signal.aborted) reportFailure(slot, failure, runId);
    }
    timer.abort();
    slot.used = plus(slot.used, since(slot.usedBefore, usedByProcess()));
    slot.promise = null;
    slot.overrunSaid = false;
    if (slot.again) slot.state = { ...slot.state, dueMs: clock.monoMs() };
    slot.again = false;
    deps.afterRun(stage.name, failure);
  };

  const reportFailure = (slot: Slot, failure: AgentError, runId: string): void => {
    const fields = {
      run_id: runId,
      stage: slot.stage.name,
      code: failure.code,
      reason: failure.message,
      place: failure.place,
      failures: slot.state.failures,
      next_in_s: Math.max(0, Math.round((slot.state.dueMs - clock.monoMs()) / 1_000)),
    };
    if (failure.code === 'internal') log.error('stage failed', { ...fields, stack: stackOf(failure) });
    else log.warn('stage failed', fields);
  };

  const tick = (): void => {
    if (shutdown.signal.aborted) return;
    const nowMs = clock.monoMs();
    const started: Slot[] = [];
    for (const slot of slots.values()) {
      if (isDue(slot.state, nowMs) && slot.stage.wanted()) {
        slot.state = { ...slot.state, running: true, startedMs: nowMs };
        slot.usedBefore = usedByProcess();
        slot.promise = runSlot(slot);
        // One that threw at once has ended, and been counted.
        if (!slot.state.running) continue;
        slot.used = plus(slot.used, since(slot.usedBefore, usedByProcess()));
        started.push(slot);
      } else if (slot.state.running) sayOverrun(slot, nowMs);
    }
    // What one of them did at once is nothing that the others used, though none of them has ended yet.
    const after = usedByProcess();
    for (const slot of started) slot.usedBefore = after;
  };

  const sayOverrun = (slot: Slot, nowMs: number): void => {
    const limit = (slot.state.startedMs ?? nowMs) + slot.stage.deadlineMs + OVERRUN_GRACE_MS;
    if (slot.overrunSaid || nowMs < limit) return;
    slot.overrunSaid = true;
    slot.state = {
      ...slot.state,
      lastError: { code: 'stage_overrun', sentence: `The stage ${slot.stage.name} did not end by its deadline.` },
    };
    log.error('stage overran its deadline', { stage: slot.stage.name, deadline_ms: slot.stage.deadlineMs });
  };

  return {
    start() {
      stopTicker = deps.ticker.start(tick);
      tick();
    },
    trigger(name) {
      const slot = slots.get(name);
      if (slot === undefined) return;
      slot.again = slot.state.running;
      slot.state = { ...slot.state, dueMs: clock.monoMs() };
    },
    async stop(withinMs) {
      stopTicker?.();
      shutdown.abort(new AgentError('shutting_down', 'the agent is stopping'));
      const running = [...slots.values()].flatMap((slot) => (slot.promise === null ? [] : [slot.promise]));
      const ended = Promise.allSettled(running).then(() => true);
      const tooLong = new AbortController();
      const limit = clock.sleep(withinMs, tooLong.signal).then(
        () => false,
        () => true,
      );
      const all = await Promise.race([ended, limit]);
      tooLong.abort();
      return all;
    },
    statuses: () => [...slots.values()].map((slot) => statusOf(slot, clock)),
  };
}

function statusOf({ stage, state, used, usedBefore }: Slot, clock: Clock): StageStatus {
  const nowMs = clock.monoMs();
  const total = state.running ? plus(used, since(usedBefore, usedByProcess())) : used;
  const wall = (ms: number | null): number | null =>
    ms === null ? null : Math.floor((clock.wallMs() - (nowMs - ms)) / 1_000);
  return {
    name: stage.name,
    running: state.running,
    last_started_at: wall(state.startedMs),
    last_finished_at: wall(state.finishedMs),
    last_error: state.lastError,
    failures_in_a_row: state.failures,
    next_in_s: Math.max(0, Math.ceil((state.dueMs - nowMs) / 1_000)),
    cpu_ms: Math.round(total.cpuMs),
    grown_bytes: total.bytes,
  };
}

function asAgentError(error: unknown, stage: Stage, deadlinePassed: boolean): AgentError {
  if (isAgentError(error)) return error;
  if (deadlinePassed) {
    const sentence = `the stage ${stage.name} was ended after ${stage.deadlineMs / 1_000} s`;
    return new AgentError('stage_overrun', sentence, { cause: error });
  }
  return new AgentError('internal', `the stage ${stage.name} failed: ${String(error)}`, { cause: error });
}

function stackOf(error: AgentError): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  return (cause.stack ?? '').split('\n').slice(0, 6).join(' | ');
}
