import fc from 'fast-check';
import { describe, it, expect } from 'vitest';
import { nextSignedTime, timeT, type SignedTime } from '../../../agent/trust/signed-time.ts';

const BOOT = '3f1c2d4e-0000-4000-8000-000000000001';
const OTHER_BOOT = '3f1c2d4e-0000-4000-8000-000000000002';
const time = (serverTime: number, bootMs: number, bootId = BOOT): SignedTime => ({ serverTime, bootMs, bootId });

describe('time T', () => {
  it('runs with the boot clock from the signed time', () => {
    expect([5_000, 5_999, 6_000, 3_605_000].map((bootMs) => timeT(time(1_000, 5_000), bootMs, BOOT))).toEqual([
      1_000, 1_000, 1_001, 4_600,
    ]);
  });
  it('is unknown before the first answer, in another boot, and when the boot clock went back', () => {
    expect(timeT(null, 5_000, BOOT)).toBeNull();
    expect(timeT(time(1_000, 5_000), 6_000, OTHER_BOOT)).toBeNull();
    expect(timeT(time(1_000, 5_000), 4_999, BOOT)).toBeNull();
  });
  it('never goes back while one signed time stays in force', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (start, a, b) => {
        const [early, late] = [start + Math.min(a, b), start + Math.max(a, b)];
        return timeT(time(1_000, start), early, BOOT)! <= timeT(time(1_000, start), late, BOOT)!;
      }),
    );
  });
});

describe('a newer signed time', () => {
  it('is taken, and is no step back within the minute that an answer may take', () => {
    expect(nextSignedTime(null, time(1_000, 0))).toEqual({ time: time(1_000, 0), wentBack: false });
    // 100 s on the boot clock: T would be 1100.
    expect(nextSignedTime(time(1_000, 0), time(1_040, 100_000)).wentBack).toBe(false);
    expect(nextSignedTime(time(1_000, 0), time(1_100, 100_000)).wentBack).toBe(false);
  });
  it('further back than a minute is taken too, and said', () => {
    expect(nextSignedTime(time(1_000, 0), time(1_039, 100_000))).toEqual({
      time: time(1_039, 100_000),
      wentBack: true,
    });
  });
  it('of another boot is held against what was said, not against a clock that ran elsewhere', () => {
    expect(nextSignedTime(time(1_000, 900_000), time(1_000, 5, OTHER_BOOT)).wentBack).toBe(false);
    expect(nextSignedTime(time(1_000, 900_000), time(939, 5, OTHER_BOOT)).wentBack).toBe(true);
  });
});
