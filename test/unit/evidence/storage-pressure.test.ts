import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ballastBytes, hasRoomFor, pressureOf, type StorageFacts } from '../../../agent/evidence/storage-pressure.ts';

const GIB = 1_073_741_824;
const NONE = { disk: 'none', cap: 'none' } as const;
const facts = (partial: Partial<StorageFacts>): StorageFacts => ({
  freeBytes: 50 * GIB,
  totalBytes: 100 * GIB,
  evidenceBytes: 0,
  capBytes: GIB,
  ...partial,
});
const free = (percent: number): StorageFacts => facts({ freeBytes: percent * GIB });
const taken = (percent: number): StorageFacts => facts({ evidenceBytes: (percent / 100) * GIB });

describe('how short room is', () => {
  it.each([
    [15, 'none'],
    [14.9, 'low'],
    [7.5, 'low'],
    [7.4, 'critical'],
    [0, 'critical'],
  ])('is, with %s %% of the disk free, %s', (percent, disk) => {
    expect(pressureOf(free(percent), NONE)).toEqual({ disk, cap: 'none' });
  });

  it.each([
    [90, 'none'],
    [90.1, 'low'],
    [100, 'low'],
    [100.1, 'critical'],
  ])('is, with evidence at %s %% of its cap, %s', (percent, cap) => {
    expect(pressureOf(taken(percent), NONE)).toEqual({ disk: 'none', cap });
  });

  it('ends only two points on the other side of its limit, level by level', () => {
    const critical = pressureOf(free(7), NONE);
    const steps = [9, 9.6, 16.9, 17.1].map((percent) => pressureOf(free(percent), critical).disk);
    expect(steps).toEqual(['critical', 'low', 'low', 'none']);
    expect(pressureOf(taken(98.5), pressureOf(taken(101), NONE)).cap).toBe('critical');
    expect(pressureOf(taken(89), pressureOf(taken(91), NONE)).cap).toBe('low');
    expect(pressureOf(taken(87), pressureOf(taken(91), NONE)).cap).toBe('none');
  });

  it('says nothing of a file system that tells no size', () => {
    expect(pressureOf(facts({ freeBytes: 0, totalBytes: 0 }), NONE)).toEqual(NONE);
  });

  it('never changes twice without the room changing, and is no less where there is less room', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const level = fc.constantFrom('none' as const, 'low' as const, 'critical' as const);
    const order = ['none', 'low', 'critical'];
    fc.assert(
      fc.property(share, share, level, (a, b, disk) => {
        const before = { disk, cap: 'none' as const };
        const now = pressureOf(free(a * 100), before);
        expect(pressureOf(free(a * 100), now)).toEqual(now);
        const less = pressureOf(free(Math.min(a, b) * 100), before);
        expect(order.indexOf(less.disk)).toBeGreaterThanOrEqual(order.indexOf(now.disk));
      }),
    );
  });
});

describe('ballast', () => {
  it('takes 5 % of a small disk and 16 MiB of any other, and only where room is left beyond the guard', () => {
    expect(ballastBytes(100 * 1_048_576)).toBe(5 * 1_048_576);
    expect(ballastBytes(8 * GIB)).toBe(16 * 1_048_576);
    expect(hasRoomFor(GIB, free(18.1))).toBe(true);
    expect(hasRoomFor(GIB, free(17.9))).toBe(false);
  });
});
