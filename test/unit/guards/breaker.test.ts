import fc from 'fast-check';
import { describe, it, expect } from 'vitest';
import {
  afterFailure,
  afterSuccess,
  breakerState,
  CLOSED,
  mayTry,
  type BreakerState,
} from '../../../agent/guards/breaker.ts';

const limits = { threshold: 3, firstPauseMs: 1_000, longestPauseMs: 60_000 };
const failing = (times: number, nowMs: number): BreakerState =>
  Array.from({ length: times }).reduce<BreakerState>((state) => afterFailure(state, nowMs, limits), CLOSED);

describe('a breaker', () => {
  it('stays closed below its threshold', () => {
    expect(breakerState(failing(2, 500), 500)).toBe('closed');
    expect(mayTry(failing(2, 500), 500)).toBe(true);
  });
  it('opens at its threshold and lets nothing through until its pause is over', () => {
    const state = failing(3, 500);
    expect([500, 1_499].map((now) => mayTry(state, now))).toEqual([false, false]);
    expect(breakerState(state, 1_500)).toBe('half_open');
    expect(mayTry(state, 1_500)).toBe(true);
  });
  it('closes with one success', () => {
    expect(breakerState(afterSuccess(), 0)).toBe('closed');
    expect(afterSuccess().failures).toBe(0);
  });
  it('doubles its pause when the one try fails, up to its longest', () => {
    const pauses = [3, 4, 5, 20, 2_000].map((times) => failing(times, 0).openUntilMs);
    expect(pauses).toEqual([1_000, 2_000, 4_000, 60_000, 60_000]);
  });
  it('never stays open for longer than its longest pause, whatever happened before', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(100_000))), (events) => {
        let [state, now] = [CLOSED, 0];
        for (const [success, later] of events) {
          now += later;
          state = success ? afterSuccess() : afterFailure(state, now, limits);
          expect(mayTry(state, now + limits.longestPauseMs)).toBe(true);
        }
      }),
    );
  });
});
