import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { createRecorder, type Recorder } from '../../../agent/evidence/recorder.ts';
import { createCoverage } from '../../../agent/report/coverage.ts';
import type { EntryKind, PredicateOf } from '../../../agent/wire/schemas/entry.ts';
import { finding, statementsOf, verdictOn, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const HOUR = 3_600;
const DAY = 86_400;
const STEP_S = 900;
const CRITICAL = { disk: 'critical', cap: 'none' } as const;
const LOW = { disk: 'low', cap: 'none' } as const;
const NONE = { disk: 'none', cap: 'none' } as const;

const of = <K extends EntryKind>({ store }: OpenLog, kind: K): PredicateOf<K>[] =>
  statementsOf(store).flatMap(({ predicate }) => (predicate.kind === kind ? [predicate as PredicateOf<K>] : []));
const recorderOf = ({ store, log, clock }: OpenLog): Recorder => createRecorder({ store, log, clock });
const expected = [{ target: 'appliance', check: 'disk', check_version: 1, cadence_s: STEP_S }];

/** Every quarter of an hour a run, every hour upkeep, from one hour to another after NOW. */
function live(open: OpenLog, recorder: Recorder, from: number, to: number): void {
  for (let t = from * HOUR; t < to * HOUR; t += STEP_S) {
    open.clock.setWall((NOW + t) * 1_000);
    recorder.recordFindings([finding({ facts_read_at: NOW + t, observed_from: NOW + t, observed_to: NOW + t })]);
    recorder.upkeep(NOW + t);
  }
}

describe('while room is short', () => {
  it('digests and repeated scopes are left out and signed for once there is room again', () =>
    withLog((open) => {
      const recorder = recorderOf(open);
      recorder.setScope(expected);
      live(open, recorder, 0, 2);
      recorder.setPressure(LOW);
      live(open, recorder, 2, 25);
      expect([of(open, 'digest'), of(open, 'scope').slice(1), of(open, 'gap')]).toEqual([[], [], []]);
      expect(of(open, 'heartbeat')).toHaveLength(24);
      recorder.setPressure(NONE);
      live(open, recorder, 25, 50);
      const [gap] = of(open, 'gap');
      expect(of(open, 'gap')).toHaveLength(1);
      expect(gap).toMatchObject({ reason: 'disk_low', dropped: { digest: 1, scope: 1 } });
      expect([gap!.gap_from, gap!.gap_to]).toEqual([NOW + 2 * HOUR - STEP_S, NOW + 25 * HOUR]);
      // The next digest covers both days.
      expect(of(open, 'digest')).toMatchObject([{ from_seq: 0 }]);
      expect(of(open, 'scope')).toHaveLength(2);
      expect(verdictOn(open.store).ok).toBe(true);
    }));

  it('and critically so, heartbeats come a sixth as often, and how many did not is signed', () =>
    withLog((open) => {
      const recorder = recorderOf(open);
      live(open, recorder, 0, 3);
      const before = of(open, 'heartbeat').length;
      recorder.setPressure(CRITICAL);
      live(open, recorder, 3, 20);
      const during = of(open, 'heartbeat').length - before;
      expect(during).toBe(2);
      recorder.setPressure(NONE);
      live(open, recorder, 20, 22);
      const [gap] = of(open, 'gap');
      const written = of(open, 'heartbeat').length;
      // One an hour, written or signed for.
      expect(gap!.dropped).toEqual({ heartbeat: 21 - written });
      expect(written).toBeLessThan(10);
    }));

  it('no run of a check becomes unobserved by that: the next heartbeat tells them all', () =>
    withLog((open) => {
      const recorder = recorderOf(open);
      recorder.setScope(expected);
      recorder.setPressure(CRITICAL);
      live(open, recorder, 0, 40);
      const coverage = createCoverage();
      for (const scope of of(open, 'scope')) coverage.scope(scope);
      for (const one of of(open, 'finding')) coverage.finding(one);
      for (const beat of of(open, 'heartbeat')) coverage.heartbeat(beat);
      expect(coverage.finish(of(open, 'heartbeat').at(-1)!.observed_to)).toEqual([]);
    }));

  it('nor does a change make the runs before it unobserved', () =>
    withLog((open) => {
      const recorder = recorderOf(open);
      recorder.setScope(expected);
      recorder.setPressure(CRITICAL);
      live(open, recorder, 0, 5);
      const facts_read_at = NOW + 5 * HOUR;
      recorder.recordFindings([finding({ result: 'fail', facts_read_at })]);
      const coverage = createCoverage();
      for (const { predicate } of statementsOf(open.store)) {
        if (predicate.kind === 'scope') coverage.scope(predicate);
        if (predicate.kind === 'finding') coverage.finding(predicate);
        if (predicate.kind === 'heartbeat') coverage.heartbeat(predicate);
      }
      expect(coverage.finish(facts_read_at)).toEqual([]);
    }));

  it('every change is recorded at once all the same, whatever is short', () =>
    withLog((open) => {
      const recorder = recorderOf(open);
      recorder.setPressure({ disk: 'critical', cap: 'critical' });
      const results = ['pass', 'fail', 'unknown', 'fail', 'pass'] as const;
      for (const result of results) recorder.recordFindings([finding({ result })]);
      recorder.raise('disk_low', { severity: 'high' });
      expect(of(open, 'finding').map((one) => one.result)).toEqual(results);
      expect(of(open, 'alert')).toHaveLength(1);
    }));

  it('for days, each day is signed for, also across a restart', () =>
    withLog((open) => {
      const first = recorderOf(open);
      first.setPressure(CRITICAL);
      live(open, first, 0, 30);
      const second = recorderOf(open);
      second.setPressure(CRITICAL);
      live(open, second, 30, 80);
      const gaps = of(open, 'gap');
      expect(gaps.length).toBeGreaterThanOrEqual(3);
      gaps.slice(1).forEach((gap, i) => expect(gap.gap_from).toBeGreaterThanOrEqual(gaps[i]!.gap_to));
      expect(gaps.every((gap) => (gap.dropped['heartbeat'] ?? 0) > 0)).toBe(true);
    }));

  it('and nothing had to be left out, no gap is made up', () =>
    withLog((open) => {
      const recorder = recorderOf(open);
      recorder.setPressure(LOW);
      live(open, recorder, 0, 3);
      recorder.setPressure(NONE);
      live(open, recorder, 3, 6);
      expect(of(open, 'gap')).toEqual([]);
    }));
});

describe('a store that refuses', () => {
  it('leaves a gap that says how many observations could not be recorded, and when', () =>
    withLog((open) => {
      let isFull = false;
      const append: typeof open.log.append = (...entry) => {
        if (isFull) throw new AgentError('store_full', 'the disk under the store is full');
        return open.log.append(...entry);
      };
      const recorder = createRecorder({ ...open, log: { ...open.log, append } });
      recorder.recordFindings([finding()]);
      isFull = true;
      for (const minute of [1, 2, 3]) {
        open.clock.setWall((NOW + minute * 60) * 1_000);
        expectCode(() => recorder.recordFindings([finding({ result: 'fail' })]), 'store_full');
      }
      isFull = false;
      open.clock.setWall((NOW + DAY) * 1_000);
      recorder.upkeep(NOW + 300);
      recorder.upkeep(NOW + 600);
      expect(of(open, 'gap')).toMatchObject([
        { reason: 'store_full', gap_from: NOW + 60, gap_to: NOW + 180, dropped: { observation: 3 } },
      ]);
      // The change itself was not taken for recorded.
      expect(recorder.recordFindings([finding({ result: 'fail' })]).changed).toHaveLength(1);
    }));
});
