import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CLOCK_MOVED_MS,
  judgeLooks,
  LEAST_FREE_BYTES,
  unhealthy,
  type HealthLook,
} from '../../../agent/helpers/judge-health.ts';

const expected = { closure: '/nix/store/new', agentVersion: '2.0.0' };
const healthy: HealthLook = {
  at: 0,
  running: expected.closure,
  unit: { isActive: true, pid: 7 },
  agent: { version: '2.0.0', pid: 7 },
  egress: true,
  clockMovedMs: 0,
  syncLost: false,
  freeBytes: LEAST_FREE_BYTES,
};
const limits = { from: 0, withinMs: 60_000, stableMs: 15_000 };
const starting = { ...healthy, unit: { isActive: false, pid: 7 } };
/** One look a second, each as `of` says. */
const looks = (seconds: number, of: (second: number) => HealthLook): HealthLook[] =>
  Array.from({ length: seconds + 1 }, (_, second) => ({ ...of(second), at: second * 1_000 }));

describe('whether a new system is healthy', () => {
  it.each<[string, Partial<HealthLook>, string]>([
    ['another system runs', { running: '/nix/store/old' }, 'other_system'],
    ['no system can be told', { running: null }, 'other_system'],
    ['the unit of the agent is not ready', { unit: { isActive: false, pid: 7 } }, 'agent_not_ready'],
    ['the agent has no process', { unit: { isActive: true, pid: 0 } }, 'agent_not_ready'],
    ['the agent has not said who it is', { agent: null }, 'agent_not_ready'],
    ['what was said is of an earlier process', { agent: { version: '2.0.0', pid: 6 } }, 'agent_not_ready'],
    ['an agent of another version runs', { agent: { version: '1.0.0', pid: 7 } }, 'agent_other_version'],
    ['the egress table is gone', { egress: false }, 'egress_missing'],
    ['the clock went ahead', { clockMovedMs: CLOCK_MOVED_MS + 1 }, 'clock_moved'],
    ['the clock went back', { clockMovedMs: -CLOCK_MOVED_MS - 1 }, 'clock_moved'],
    ['nothing keeps the clock any more', { syncLost: true }, 'clock_unsynchronised'],
    ['a disk is full', { freeBytes: LEAST_FREE_BYTES - 1 }, 'disk_full'],
  ])('it is not where %s', (_, change, why) => {
    expect(unhealthy({ ...healthy, ...change }, expected)).toBe(why);
  });

  it('it is where nothing of that is so, also on a system without an egress table', () => {
    expect(unhealthy(healthy, expected)).toBeNull();
    expect(unhealthy({ ...healthy, egress: null }, expected)).toBeNull();
  });
});

describe('the gate of a new system', () => {
  it('passes once it was healthy for long enough, and not before', () => {
    expect(
      judgeLooks(
        looks(14, () => healthy),
        expected,
        limits,
      ),
    ).toEqual({ gate: 'waiting', why: null });
    expect(
      judgeLooks(
        looks(15, () => healthy),
        expected,
        limits,
      ),
    ).toEqual({ gate: 'passed' });
  });

  it('waits for an agent that takes its time, and counts from when it is healthy', () => {
    const slow = (second: number): HealthLook => (second < 20 ? starting : healthy);
    expect(judgeLooks(looks(34, slow), expected, limits)).toEqual({ gate: 'waiting', why: null });
    expect(judgeLooks(looks(35, slow), expected, limits)).toEqual({ gate: 'passed' });
  });

  it('fails when its time is over, with what was wrong last', () => {
    expect(
      judgeLooks(
        looks(59, () => starting),
        expected,
        limits,
      ),
    ).toEqual({ gate: 'waiting', why: 'agent_not_ready' });
    expect(
      judgeLooks(
        looks(60, () => starting),
        expected,
        limits,
      ),
    ).toEqual({ gate: 'failed', why: 'agent_not_ready' });
    const full = { ...healthy, freeBytes: 0 };
    expect(
      judgeLooks(
        looks(60, () => full),
        expected,
        limits,
      ),
    ).toEqual({ gate: 'failed', why: 'disk_full' });
  });

  it('fails at once where the process that was healthy is gone, although its successor is healthy too', () => {
    const next = { ...healthy, unit: { isActive: true, pid: 8 }, agent: { version: '2.0.0', pid: 8 } };
    const crashed = (second: number): HealthLook => (second < 4 ? healthy : next);
    expect(judgeLooks(looks(4, crashed), expected, limits)).toEqual({ gate: 'failed', why: 'agent_crashed' });
  });

  it('lets nothing pass that was not healthy without a break for the whole time', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 80 }), (good) => {
        const seen = looks(good.length - 1, (second) => (good[second] === true ? healthy : starting));
        if (judgeLooks(seen, expected, limits).gate !== 'passed') return true;
        return good.join('').includes('true'.repeat(16));
      }),
    );
  });
});
