import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StageState, Timing } from '../../../agent/daemon/stage.ts';
import { afterFailure, afterSuccess, firstState, isDue } from '../../../agent/daemon/stage.ts';

const timing = (over: Partial<Timing> = {}): Timing => ({
  nowMs: 100_000,
  intervalMs: 60_000,
  longestPauseMs: 60_000,
  jittered: true,
  random: 0.5,
  ...over,
});
const ran = (startedMs: number): StageState => ({ ...firstState(0), running: true, startedMs });
const error = { code: 'request_timeout', sentence: 'no answer' } as const;

describe('when a stage is next due', () => {
  it('a stage is due at once after the start and never while it runs', () => {
    expect(isDue(firstState(5), 5)).toBe(true);
    expect(isDue({ ...firstState(5), running: true }, 1_000_000)).toBe(false);
  });

  it('the next check-in lies 54 to 66 seconds after the start of the one before, whatever the random number', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (random) => {
        const { dueMs } = afterSuccess(ran(100_000), undefined, timing({ nowMs: 100_200, random }));
        expect(dueMs).toBeGreaterThanOrEqual(154_000);
        expect(dueMs).toBeLessThanOrEqual(166_000);
      }),
    );
  });

  it('a run that took longer than its interval is followed at once, never in the past', () => {
    const { dueMs } = afterSuccess(ran(0), undefined, timing({ nowMs: 500_000 }));
    expect(dueMs).toBe(500_000);
  });

  it('a stage may ask to be run again sooner', () => {
    expect(afterSuccess(ran(0), { nextInMs: 1_000 }, timing({ jittered: false })).dueMs).toBe(101_000);
  });

  it('failures in a row pause longer and longer, within the longest pause and its ten percent', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1_000, max: 100_000 }),
        fc.integer({ min: 1_000, max: 3_600_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, intervalMs, longestPauseMs, random) => {
          let state = ran(0);
          for (let i = 0; i < failures; i += 1) {
            state = afterFailure(state, error, timing({ intervalMs, longestPauseMs, random }));
          }
          const pause = state.dueMs - 100_000;
          expect(state.failures).toBe(failures);
          expect(pause).toBeGreaterThanOrEqual(intervalMs * 0.9 - 1);
          expect(pause).toBeLessThanOrEqual(Math.max(longestPauseMs, intervalMs) * 1.1 + 1);
        },
      ),
    );
  });

  it('a stage whose longest pause is its interval keeps its pace through any number of failures', () => {
    let state = ran(0);
    for (let i = 0; i < 50; i += 1) state = afterFailure(state, error, timing({ jittered: false }));
    expect(state.dueMs).toBe(160_000);
  });

  it('one good run forgets the failures before it', () => {
    const failed = afterFailure(ran(0), error, timing());
    const { failures, lastError } = afterSuccess({ ...failed, startedMs: 100_000 }, undefined, timing());
    expect({ failures, lastError }).toEqual({ failures: 0, lastError: null });
  });
});
