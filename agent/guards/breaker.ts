// A circuit breaker as a value: after some failures in a row nothing is tried for a while, then one try decides.

/** Times on the boot or monotonic clock, in milliseconds. */
export interface BreakerState {
  /** Failures in a row. */
  readonly failures: number;
  /** Nothing is tried before this; 0 while closed. */
  readonly openUntilMs: number;
}

export interface BreakerLimits {
  /** Failures in a row that open the breaker. */
  readonly threshold: number;
  /** How long it stays open the first time; doubled with each further failure. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

export const CLOSED: BreakerState = { failures: 0, openUntilMs: 0 };

export function breakerState(state: BreakerState, nowMs: number): 'closed' | 'open' | 'half_open' {
  if (state.openUntilMs === 0) return 'closed';
  return nowMs < state.openUntilMs ? 'open' : 'half_open';
}

/** True unless the breaker is open. In `half_open` the caller makes one try and reports how it went. */
export function mayTry(state: BreakerState, nowMs: number): boolean {
  return breakerState(state, nowMs) !== 'open';
}

export function afterSuccess(): BreakerState {
  return CLOSED;
}

export function afterFailure(state: BreakerState, nowMs: number, limits: BreakerLimits): BreakerState {
  const failures = state.failures + 1;
  if (failures < limits.threshold) return { failures, openUntilMs: 0 };
  // 2^30 times any pause is beyond every limit; more would only lose precision.
  const doublings = Math.min(failures - limits.threshold, 30);
  const pause = Math.min(limits.firstPauseMs * 2 ** doublings, limits.longestPauseMs);
  return { failures, openUntilMs: nowMs + pause };
}
