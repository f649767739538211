import { describe, expect, it } from 'vitest';
import { givesBackMemory } from '../../../agent/daemon/memory-care.ts';

const MINUTE = 60_000;
const idle = (): boolean => false;

describe('memory is given back', () => {
  it('once the work of the start is over, and then every quarter of an hour', () => {
    const first = { startedMs: 1_000, lastMs: null };
    expect(givesBackMemory(first, 20_999, idle)).toBe(false);
    expect(givesBackMemory(first, 21_000, idle)).toBe(true);
    const later = { startedMs: 1_000, lastMs: 21_000 };
    expect(givesBackMemory(later, 21_000 + 15 * MINUTE - 1, idle)).toBe(false);
    expect(givesBackMemory(later, 21_000 + 15 * MINUTE, idle)).toBe(true);
  });

  it('and where it is not due, nobody is asked whether a stage runs', () => {
    const asked = (): boolean => {
      throw new Error('asked');
    };
    expect(givesBackMemory({ startedMs: 0, lastMs: 5_000 }, 6_000, asked)).toBe(false);
  });

  it('never while a stage runs, and then as soon as none does', () => {
    const overdue = { startedMs: 0, lastMs: null };
    expect(givesBackMemory(overdue, 60 * MINUTE, () => true)).toBe(false);
    expect(givesBackMemory(overdue, 60 * MINUTE, idle)).toBe(true);
  });
});
