import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRecorder, type Recorder } from '../../../agent/evidence/recorder.ts';
import { due } from '../../../agent/evidence/what-to-record.ts';
import { jcsDigest } from '../../../agent/wire/jcs.ts';
import type { EntryKind, PredicateOf } from '../../../agent/wire/schemas/entry.ts';
import type { Finding } from '../../../agent/wire/schemas/finding.ts';
import {
  finding,
  openLog,
  statementsOf,
  verdictOn,
  withDir,
  withLog,
  type OpenLog,
} from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const HOUR = 3_600;
const DAY = 86_400;

const recorderOf = ({ store, log, clock }: OpenLog): Recorder => createRecorder({ store, log, clock });

const entriesOf = <K extends EntryKind>({ store }: OpenLog, kind: K): PredicateOf<K>[] =>
  statementsOf(store).flatMap(({ predicate }) => (predicate.kind === kind ? [predicate as PredicateOf<K>] : []));

const disk = (percent: number, partial: Partial<Finding> = {}): Finding =>
  finding({ facts: { state_used_percent: percent }, ...partial });
const check = (id: string, partial: Partial<Finding> = {}): Finding =>
  finding({ check: { id, version: 1 }, facts: {}, ...partial });

const withRecorder = (fn: (recorder: Recorder, open: OpenLog) => void): void =>
  withLog((open) => fn(recorderOf(open), open));

/** The clock and what is due move together. */
const at = (open: OpenLog, seconds: number): number => {
  open.clock.setWall(seconds * 1_000);
  return seconds;
};

describe('recordFindings', () => {
  it('writes the first finding of a check with no previous result, and counts repeats instead of writing them', () =>
    withRecorder((recorder, open) => {
      expect(recorder.recordFindings([disk(61), check('clock')])).toEqual({ changed: [1, 2], unchanged: 0 });
      expect(recorder.recordFindings([disk(61), check('clock')])).toEqual({ changed: [], unchanged: 2 });
      expect(entriesOf(open, 'finding').map((f) => [f.check.id, f.previous_result])).toEqual([
        ['disk', null],
        ['clock', null],
      ]);
      expect(open.store.findings.get('appliance', 'disk')).toMatchObject({
        sinceSeq: 1,
        runs: 2,
        runsSinceHeartbeat: 1,
      });
    }));

  it.each<[string, Partial<Finding>]>([
    ['result', { result: 'unknown' }],
    ['facts', { facts_digest: '77'.repeat(32) }],
    ['baseline', { baseline: { id: 'appliance', version: 2, sha256: 'b2'.repeat(32) } }],
    ['waiver', { result: 'waived', waiver_id: 'w1' }],
    ['severity', { severity: 'critical' }],
  ])('writes a change of the %s at once and names the result before', (_what, change) =>
    withRecorder((recorder, open) => {
      recorder.recordFindings([disk(61)]);
      recorder.recordFindings([disk(61)]);
      expect(recorder.recordFindings([disk(61, change)])).toEqual({ changed: [2], unchanged: 0 });
      expect(entriesOf(open, 'finding')[1]).toMatchObject({ previous_result: 'pass', result: change.result ?? 'pass' });
    }),
  );

  it('does not take another number in a sentence for a change', () =>
    withRecorder((recorder) => {
      recorder.recordFindings([disk(61, { sentence: '61 % full.' })]);
      expect(recorder.recordFindings([disk(61, { sentence: '62 % full.' })]).changed).toEqual([]);
    }));

  it('keeps the times at which the facts were read', () =>
    withRecorder((recorder, open) => {
      recorder.recordFindings([disk(61, { observed_from: NOW - 9, observed_to: NOW - 2, facts_read_at: NOW - 9 })]);
      expect(entriesOf(open, 'finding')[0]).toMatchObject({ observed_from: NOW - 9, observed_to: NOW - 2 });
    }));

  it('commits the others when one finding cannot be recorded, and then throws its error', () =>
    withRecorder((recorder, open) => {
      const bad = check('firewall', { severity: 'awful' as 'high' });
      expectCode(() => recorder.recordFindings([disk(61), bad, check('clock')]), 'schema_invalid');
      expect(entriesOf(open, 'finding').map((f) => f.check.id)).toEqual(['disk', 'clock']);
      expect(open.store.findings.all().map((state) => state.checkId)).toEqual(['clock', 'disk']);
    }));

  it('compares facts as they were judged although something of them was scrubbed, and never repeats their digest', () =>
    withRecorder((recorder, open) => {
      const facts = { state_used_percent: 61, owner: 'mgonzalez' };
      recorder.recordFindings([finding({ facts })]);
      expect(recorder.recordFindings([finding({ facts })]).changed).toEqual([]);
      expect(recorder.recordFindings([finding({ facts: { ...facts, owner: 'other' } })]).changed).toEqual([2]);
      recorder.recordFindings([finding({ facts: { ...facts, owner: 'other' } })]);
      recorder.upkeep(at(open, NOW + HOUR));
      const recorded = jcsDigest({ state_used_percent: 61 });
      expect(entriesOf(open, 'finding').map((f) => f.facts_digest)).toEqual([recorded, recorded]);
      expect(entriesOf(open, 'heartbeat')[0]?.unchanged[0]?.facts_digest).toBe(recorded);
    }));
});

describe('upkeep', () => {
  it('writes one heartbeat an hour per target that lists what ran unchanged since', () =>
    withRecorder((recorder, open) => {
      const server = { id: 'server-1', role: 'member_server', os_build: null };
      recorder.recordFindings([disk(61), check('clock'), disk(50, { target: server })]);
      for (let minute = 1; minute <= 150; minute++) {
        const now = at(open, NOW + minute * 60);
        recorder.recordFindings([disk(61, { facts_read_at: now }), disk(50, { target: server, facts_read_at: now })]);
        recorder.upkeep(now);
      }
      const heartbeats = entriesOf(open, 'heartbeat');
      expect(
        heartbeats.map((h) => [
          h.target.id,
          h.observed_to - NOW,
          h.unchanged.map((u) => [u.check, u.since_seq, u.runs]),
        ]),
      ).toEqual([
        ['appliance', HOUR, [['disk', 1, 61]]],
        ['server-1', HOUR, [['disk', 3, 61]]],
        ['appliance', 2 * HOUR, [['disk', 1, 121]]],
        ['server-1', 2 * HOUR, [['disk', 3, 121]]],
      ]);
      expect(heartbeats[1]?.target).toEqual(server);
      expect(heartbeats[0]).toMatchObject({ observed_from: NOW + HOUR });
    }));

  it('writes no heartbeat for a check that did not run: its absence shows', () =>
    withRecorder((recorder, open) => {
      recorder.recordFindings([disk(61), check('clock')]);
      for (const hour of [1, 2, 3]) {
        recorder.recordFindings([disk(61)]);
        recorder.upkeep(at(open, NOW + hour * HOUR));
      }
      expect(entriesOf(open, 'heartbeat').flatMap((h) => h.unchanged.map((u) => u.check))).toEqual([
        'disk',
        'disk',
        'disk',
      ]);
      recorder.upkeep(at(open, NOW + 9 * HOUR));
      expect(entriesOf(open, 'heartbeat').length).toBe(3);
    }));

  it('does not put off heartbeats because another check of the target keeps changing', () =>
    withRecorder((recorder, open) => {
      recorder.recordFindings([disk(61), check('clock')]);
      for (let minute = 10; minute <= 120; minute += 10) {
        at(open, NOW + minute * 60);
        recorder.recordFindings([disk(minute), check('clock')]);
        recorder.upkeep(NOW + minute * 60);
      }
      expect(entriesOf(open, 'heartbeat').map((h) => h.unchanged.map((u) => u.check))).toEqual([['clock'], ['clock']]);
    }));

  it('splits a heartbeat of more than 64 checks', () =>
    withRecorder((recorder, open) => {
      const many = Array.from({ length: 70 }, (_, i) => check(`check_${i}`));
      recorder.recordFindings(many);
      recorder.recordFindings(many);
      recorder.upkeep(at(open, NOW + HOUR));
      expect(entriesOf(open, 'heartbeat').map((h) => h.unchanged.length)).toEqual([64, 6]);
    }));

  it('goes on with heartbeats after the clock jumped back by years, once and not at every call', () =>
    withRecorder((recorder, open) => {
      const hours = (from: number, calls: number): number => {
        for (let i = 0; i < calls; i++) {
          recorder.recordFindings([disk(61)]);
          recorder.upkeep(at(open, from + i * 60));
        }
        return entriesOf(open, 'heartbeat').length;
      };
      recorder.recordFindings([disk(61)]);
      expect(hours(NOW + 60, 61)).toBe(1);
      expect(hours(NOW - 3 * 365 * DAY, 59)).toBe(2);
      expect(hours(NOW - 3 * 365 * DAY + HOUR, 61)).toBe(4);
      expect(hours(NOW + 8 * DAY, 59)).toBe(5);
    }));

  it('covers each entry with exactly one daily digest and says what it held', () =>
    withRecorder((recorder, open) => {
      recorder.upkeep(NOW);
      recorder.recordFindings([disk(61), check('clock')]);
      for (let quarter = 1; quarter <= 3 * 96; quarter++) {
        const now = at(open, NOW + quarter * 900);
        recorder.recordFindings([disk(61), check('clock')]);
        recorder.upkeep(now);
      }
      const digests = entriesOf(open, 'digest');
      expect(digests.map((d) => d.from_seq)).toEqual([0, digests[0]?.to_seq, digests[1]?.to_seq]);
      expect(digests.map((d) => d.seq)).toEqual(digests.map((d) => d.to_seq));
      expect(digests[0]?.counts).toEqual({ epoch: 1, finding: 2, heartbeat: 24 });
      expect(digests[1]?.counts).toEqual({ digest: 1, heartbeat: 24 });
      expect(digests[2]?.results).toEqual([
        { target: 'appliance', check: 'clock', result: 'pass', since_seq: 2, runs: 289 },
        { target: 'appliance', check: 'disk', result: 'pass', since_seq: 1, runs: 289 },
      ]);
      expect(verdictOn(open.store).ok).toBe(true);
    }));

  it('splits a digest of hundreds of results so that each entry stays below the limit', () =>
    withRecorder((recorder, open) => {
      const long = (n: number): string => `check_${String(n).padStart(3, '0')}_`.padEnd(64, 'x');
      recorder.upkeep(NOW);
      recorder.recordFindings(
        Array.from({ length: 400 }, (_, i) =>
          check(long(i), { result: 'not_applicable', target: { id: 't'.repeat(63), role: 'server', os_build: null } }),
        ),
      );
      recorder.upkeep(at(open, NOW + DAY));
      expect(entriesOf(open, 'digest').map((d) => d.results.length)).toEqual([150, 150, 100]);
    }));
});

describe('setScope', () => {
  const expected = [{ target: 'appliance', check: 'disk', check_version: 1, cadence_s: 300 }];

  it('writes what is expected at the first start, at each change, and once a day', () =>
    withRecorder((recorder, open) => {
      recorder.setScope(expected);
      recorder.setScope(expected);
      for (let hour = 1; hour <= 49; hour++) recorder.upkeep(at(open, NOW + hour * HOUR));
      recorder.setScope([]);
      const scopes = entriesOf(open, 'scope').map((s) => [s.observed_to - NOW, s.expected.length]);
      expect(scopes).toEqual([
        [0, 1],
        [DAY, 1],
        [2 * DAY, 1],
        [49 * HOUR, 0],
      ]);
    }));
});

describe('a restart', () => {
  it('neither repeats nor forgets: the same findings before and after it give the entries of one run', () => {
    const findings = (n: number): Finding[] => [disk(n % 3 === 0 ? 90 : 61), check('clock')];
    const run = (restartEvery: number): unknown[] =>
      withDir((dir) => {
        let open = openLog(dir);
        let recorder = recorderOf(open);
        for (let i = 0; i < 40; i++) {
          if (i % restartEvery === restartEvery - 1) {
            open.store.close();
            open = openLog(dir, open.clock);
            recorder = recorderOf(open);
          }
          recorder.setScope([{ target: 'appliance', check: 'disk', check_version: 1, cadence_s: 300 }]);
          recorder.recordFindings(findings(i));
          recorder.upkeep(at(open, NOW + i * HOUR));
        }
        const kinds = statementsOf(open.store).map(({ predicate }) => [predicate.kind, predicate.observed_to]);
        open.store.close();
        return kinds;
      });
    expect(run(3)).toEqual(run(1_000));
  });
});

describe('what to record', () => {
  it('loses no state change: the entries of any sequence of findings give every change in its order', () => {
    const arbitrary = fc.record({
      id: fc.constantFrom('disk', 'clock', 'self'),
      result: fc.constantFrom('pass', 'fail', 'unknown', 'not_applicable'),
      digest: fc.constantFrom('a1', 'a2', 'a3'),
      restart: fc.boolean(),
      fails: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      step: fc.constantFrom(0, 60, 600, 4_000, -90_000, 100_000),
    });
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 30 }), (steps) =>
        withDir((dir) => {
          let open = openLog(dir);
          let recorder = recorderOf(open);
          let now = NOW;
          const last = new Map<string, string>();
          const changes: string[] = [];
          for (const { id, result, digest, restart, fails, step } of steps) {
            if (restart) {
              open.store.close();
              open = openLog(dir, open.clock);
              recorder = recorderOf(open);
            }
            const given = check(id, { result, facts_digest: digest.repeat(32) });
            if (fails) {
              expect(() =>
                open.store.unit(() => {
                  recorder.recordFindings([given]);
                  throw new Error('stop');
                }),
              ).toThrow('stop');
            } else {
              recorder.recordFindings([given]);
              if (last.get(id) !== result + digest) changes.push(`${id} ${result} ${digest}`);
              last.set(id, result + digest);
            }
            now = at(open, Math.max(1_000_000_000, now + step));
            recorder.upkeep(now);
          }
          const written = entriesOf(open, 'finding').map(
            (f) => `${f.check.id} ${f.result} ${f.facts_digest.slice(0, 2)}`,
          );
          expect(written).toEqual(changes);
          expect(verdictOn(open.store).ok).toBe(true);
          open.store.close();
        }),
      ),
      { numRuns: 40 },
    );
  });

  it('is due after the interval and after a jump back of at least the interval, whatever the clock does', () => {
    const time = fc.integer({ min: 946_684_800, max: 4_000_000_000 });
    fc.assert(
      fc.property(time, fc.integer({ min: 1, max: DAY }), (last, interval) => {
        expect([due(last, last, interval), due(last, last + interval - 1, interval)]).toEqual([false, false]);
        expect([due(last, last + interval, interval), due(last, last - interval, interval)]).toEqual([true, true]);
      }),
    );
  });

  it('writes at most one heartbeat and leaves no hour without one while checks run, over any clock that ticks and jumps', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(60, 60, 60, 300, 1_800, -1_700, -HOUR, -DAY, DAY), { maxLength: 80 }),
        (steps) =>
          withLog((open) => {
            const recorder = recorderOf(open);
            let now = NOW;
            let silent = 0;
            recorder.recordFindings([check('clock')]);
            for (const step of steps) {
              const before = open.log.size();
              now = at(open, now + step);
              recorder.recordFindings([check('clock')]);
              recorder.upkeep(now);
              const beats = open.log.size() - before - (entriesOf(open, 'digest').some((d) => d.seq >= before) ? 1 : 0);
              expect(beats).toBeLessThanOrEqual(1);
              silent = beats === 1 ? 0 : silent + Math.max(0, step);
              expect(silent).toBeLessThan(3 * HOUR);
            }
          }),
      ),
      { numRuns: 25 },
    );
  });
});
