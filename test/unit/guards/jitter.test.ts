import { describe, it, expect } from 'vitest';
import fc from 'fast-check';
import { jittered } from '../../../agent/guards/jitter.ts';

/** 53-bit uniform numbers in [0, 1) from a seed (xorshift128+), so that a failure repeats. */
function uniform(seed: number): () => number {
  let [a, b] = [BigInt(seed) * 0x9e3779b97f4a7c15n + 1n, BigInt(seed) * 0xbf58476d1ce4e5b9n + 7n];
  const mask = (1n << 64n) - 1n;
  return () => {
    let x = a & mask;
    const y = b & mask;
    a = y;
    x ^= (x << 23n) & mask;
    b = x ^ y ^ (x >> 17n) ^ (y >> 26n);
    return Number(((b + y) & mask) >> 11n) / 2 ** 53;
  };
}

describe('the jitter of an interval', () => {
  it('stays within 10 % either way for any interval and any random number', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 86_400_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (ms, r) => {
          const result = jittered(ms, r);
          return Number.isSafeInteger(result) && result >= Math.floor(ms * 0.9) && result <= Math.ceil(ms * 1.1);
        },
      ),
    );
  });
  it('reaches both ends: 54 s and 66 s for a minute', () => {
    expect(jittered(60_000, 0)).toBe(54_000);
    expect(jittered(60_000, 1 - 2 ** -53)).toBe(66_000);
    expect(jittered(60_000, 0.5)).toBe(60_000);
  });
  it('is uniform: mean and twenty equal classes of 20,000 draws fit, for five seeds', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const random = uniform(seed);
      const draws = Array.from({ length: 20_000 }, () => jittered(60_000, random()));
      const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
      // Standard error of the mean is 24.5 ms.
      expect(Math.abs(mean - 60_000), `seed ${seed}`).toBeLessThan(100);
      const classes = Array.from({ length: 20 }, () => 0);
      for (const draw of draws) classes[Math.min(19, Math.floor((draw - 54_000) / 600))]! += 1;
      const chiSquare = classes.reduce((sum, n) => sum + (n - 1_000) ** 2 / 1_000, 0);
      // 19 degrees of freedom: 43.8 is exceeded once in a thousand.
      expect(chiSquare, `seed ${seed}`).toBeLessThan(43.8);
    }
  });
});
