// One stage of the cycle and what is known of its runs. Pure: when it is next due, and what a result does to that.
import type { ErrorCode } from '../errors/codes.ts';
import { jittered } from '../guards/jitter.ts';

export const STAGE_NAMES = [
  'control',
  'enrol',
  'certificate',
  'checkin',
  'orders',
  'checks',
  'windows',
  'runbooks',
  'healing',
  'self_watch',
  'canary',
  'evidence',
  'storage',
  'prune',
  'upload',
  'timestamp',
  'tickets',
  'recovery_key',
  'helpers',
] as const;
export type StageName = (typeof STAGE_NAMES)[number];

/** What a run asks of its schedule; nothing means the usual interval. */
export interface StageResult {
  /** Milliseconds until the next start, unjittered. */
  readonly nextInMs?: number;
}

export interface Stage {
  readonly name: StageName;
  /** False where there is nothing to do in the present state (not enrolled, say). Asked at each tick: cheap. */
  readonly wanted: () => boolean;
  /** Milliseconds between two starts. */
  readonly intervalMs: () => number;
  /** ± 10 %, so that a thousand appliances do not call at once. */
  readonly jittered: boolean;
  /** The run is aborted after this. */
  readonly deadlineMs: number;
  /** After failures in a row the pause doubles up to this; equal to the interval where a stage must keep its pace. */
  readonly longestPauseMs: () => number;
  readonly run: (signal: AbortSignal, runId: string) => Promise<StageResult | void>;
}

/** Monotonic milliseconds throughout. */
export interface StageState {
  readonly running: boolean;
  readonly startedMs: number | null;
  readonly finishedMs: number | null;
  readonly dueMs: number;
  readonly failures: number;
  readonly lastError: { readonly code: ErrorCode; readonly sentence: string } | null;
}

/** Failures that are forgiven before a stage pauses for longer than its interval. */
const FAILURES_BEFORE_PAUSE = 3;

export const firstState = (nowMs: number): StageState => ({
  running: false,
  startedMs: null,
  finishedMs: null,
  dueMs: nowMs,
  failures: 0,
  lastError: null,
});

export const isDue = (state: StageState, nowMs: number): boolean => !state.running && nowMs >= state.dueMs;

export interface Timing {
  readonly nowMs: number;
  readonly intervalMs: number;
  readonly longestPauseMs: number;
  readonly jittered: boolean;
  /** Uniform in [0, 1). */
  readonly random: number;
}

/** The state after a good run. The interval counts from the start of the run, so that long runs do not stretch the cycle. */
export function afterSuccess(state: StageState, result: StageResult | void, timing: Timing): StageState {
  const pause = spread(result?.nextInMs ?? timing.intervalMs, timing);
  const from = result?.nextInMs === undefined ? (state.startedMs ?? timing.nowMs) : timing.nowMs;
  return {
    ...state,
    running: false,
    finishedMs: timing.nowMs,
    dueMs: Math.max(from + pause, timing.nowMs),
    failures: 0,
    lastError: null,
  };
}

/** The state after a failed run: the interval as usual, then doubling pauses up to the longest one. */
export function afterFailure(
  state: StageState,
  error: NonNullable<StageState['lastError']>,
  timing: Timing,
): StageState {
  const failures = state.failures + 1;
  const doublings = Math.min(Math.max(failures - FAILURES_BEFORE_PAUSE, 0), 20);
  const longest = Math.max(timing.longestPauseMs, timing.intervalMs);
  const pause = spread(Math.min(timing.intervalMs * 2 ** doublings, longest), timing);
  return {
    ...state,
    running: false,
    finishedMs: timing.nowMs,
    dueMs: timing.nowMs + pause,
    failures,
    lastError: error,
  };
}

const spread = (pauseMs: number, timing: Timing): number =>
  timing.jittered ? jittered(pauseMs, timing.random) : pauseMs;
