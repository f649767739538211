// A probe that hangs or floods costs its deadline at every run of its check. After two such runs in a row it is set aside for
// a while, longer each time, and then tried again. Its fact stays unreadable meanwhile: set aside is never a pass. Pure.
import type { Fact } from '../facts/probe.ts';
import {
  afterFailure,
  afterSuccess,
  CLOSED,
  mayTry,
  type BreakerLimits,
  type BreakerState,
} from '../guards/breaker.ts';

export type UnreadableFact = Extract<Fact<unknown>, { status: 'unreadable' }>;

/** What is remembered of one probe. */
export interface ProbeCare {
  readonly breaker: BreakerState;
  /** Its last fact where that was a misbehaviour. */
  readonly last: UnreadableFact | null;
}

export const PROBE_LIMITS: BreakerLimits = {
  threshold: 2,
  /** One run of a check that is due every five minutes is left out. */
  firstPauseMs: 7 * 60_000,
  /** Whatever hangs is looked at four times a day all the same. */
  longestPauseMs: 6 * 3_600_000,
};

const WELL: ProbeCare = { breaker: CLOSED, last: null };

/** Took its whole deadline or more output than is taken. A tool that is missing or denied costs nothing and says so each time. */
export const misbehaved = (fact: Fact<unknown>): fact is UnreadableFact =>
  fact.status === 'unreadable' && (fact.reason === 'timeout' || fact.reason === 'too_much_output');

/** What is remembered after a probe was run. */
export function afterProbe(care: ProbeCare | undefined, fact: Fact<unknown>, nowMs: number): ProbeCare {
  if (!misbehaved(fact)) return { breaker: afterSuccess(), last: null };
  return { breaker: afterFailure((care ?? WELL).breaker, nowMs, PROBE_LIMITS), last: fact };
}

/** Null where the probe is to be run; else its fact: the last one, said again at `now` (Unix seconds). */
export function setAside(care: ProbeCare | undefined, nowMs: number, now: number): UnreadableFact | null {
  if (care === undefined || care.last === null || mayTry(care.breaker, nowMs)) return null;
  const minutes = Math.ceil((care.breaker.openUntilMs - nowMs) / 60_000);
  const detail = `set aside for ${minutes} min after ${care.breaker.failures} runs in a row: ${care.last.detail}`;
  return { ...care.last, detail, readAt: now };
}
