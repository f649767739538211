import { describe, expect, it } from 'vitest';
import { coolDown } from '../../../agent/guards/healing-rate.ts';
import { DEFAULT_LIMITS } from '../../../agent/guards/healing-limits.ts';
import { healingRuns } from '../../../agent/healing/healing-runs.ts';
import type { RunRow } from '../../../agent/store/open-store.ts';

const NOON = 1_800_000_000;
const DAY_S = 86_400;
const TARGET = { id: 'pc-1', role: 'workstation', os_build: null };
const row = (endedAt: number): RunRow => ({
  ...{ runId: '019e0000-0000-7000-8000-000000000101', targetId: 'pc-1', action: 'remediate', snapshot: '{}' },
  ...{ runbookId: 'RB-WIN-AV-001', runbookVersion: 1, runbookSha256: 'aa'.repeat(32) },
  ...{ detail: JSON.stringify({ target: TARGET, link: {} }), at: NOON, state: 'ended', outcome: 'failed', endedAt },
});
const waits = (endedAt: number, now: number): boolean =>
  coolDown(
    healingRuns([row(endedAt)], () => null),
    DEFAULT_LIMITS,
    now,
  ) !== null;

describe('a run whose end a wrong wall clock dated', () => {
  it('ahead by years locks its target for days at most', () => {
    expect(waits(NOON + 60, NOON + 61)).toBe(true);
    expect(waits(NOON + DAY_S, NOON + DAY_S + 1)).toBe(true);
    expect(waits(NOON + 10_000 * DAY_S, NOON + 3 * DAY_S)).toBe(false);
  });

  it('before its begin still has its cool-down', () => {
    expect(waits(0, NOON + 1)).toBe(true);
  });
});
