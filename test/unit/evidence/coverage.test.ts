import { describe, expect, it } from 'vitest';
import { HEARTBEAT_INTERVAL_S } from '../../../agent/evidence/what-to-record.ts';
import { createCoverage, HEARTBEATS_EVERY_S, type Coverage, type Unobserved } from '../../../agent/report/coverage.ts';

const T = 1_780_000_000;
const TARGET = { id: 'appliance', role: 'appliance', os_build: null };
const HOUR = 3_600;

function scoped(cadence = 300): Coverage {
  const coverage = createCoverage();
  coverage.scope({
    observed_to: T,
    expected: [{ target: 'appliance', check: 'disk', check_version: 1, cadence_s: cadence }],
  });
  return coverage;
}
const finding = (coverage: Coverage, at: number, seq = 1): void =>
  coverage.finding({ target: TARGET, check: { id: 'disk', version: 1 }, facts_read_at: at, seq });
const heartbeat = (coverage: Coverage, at: number, runs: number, since = 1): void =>
  coverage.heartbeat({
    target: TARGET,
    unchanged: [
      { check: 'disk', result: 'pass', since_seq: since, facts_digest: 'a'.repeat(64), last_read_at: at, runs },
    ],
  });
const spans = (missing: readonly Unobserved[]): number[][] => missing.map((one) => [one.from - T, one.to - T]);

it('holds heartbeats to the interval at which the recorder writes them', () => {
  expect(HEARTBEATS_EVERY_S).toBe(HEARTBEAT_INTERVAL_S);
});

describe('expected observations', () => {
  it('are all there where each hour tells of about as many runs as the cadence asks for', () => {
    const coverage = scoped();
    finding(coverage, T);
    for (let hour = 1; hour <= 24; hour++) heartbeat(coverage, T + hour * HOUR, 1 + hour * 11);
    expect(coverage.finish(T + 24 * HOUR + 900)).toEqual([]);
  });

  it('are missing where an hour tells of more than two runs too few', () => {
    const coverage = scoped();
    finding(coverage, T);
    heartbeat(coverage, T + HOUR, 13);
    heartbeat(coverage, T + 2 * HOUR, 13 + 7);
    expect(coverage.finish(T + 2 * HOUR)).toMatchObject([
      {
        target: 'appliance',
        check: 'disk',
        from: T + HOUR,
        to: T + 2 * HOUR,
        expectedRuns: 12,
        recordedRuns: 7,
        ended: true,
      },
    ]);
  });

  it('are missing where nothing at all follows', () => {
    const coverage = scoped();
    finding(coverage, T);
    heartbeat(coverage, T + HOUR, 13);
    expect(coverage.finish(T + 2 * HOUR)).toEqual([]);
    expect(coverage.finish(T + 9 * HOUR)).toMatchObject([
      { from: T + HOUR, to: T + 9 * HOUR, recordedRuns: null, ended: false },
    ]);
  });

  it('are missing where a check never ran', () => {
    expect(spans(scoped().finish(T + 5 * HOUR))).toEqual([[0, 5 * HOUR]]);
  });

  it('are missing before a change that comes after hours of silence', () => {
    const coverage = scoped();
    finding(coverage, T);
    finding(coverage, T + 5 * HOUR, 9);
    heartbeat(coverage, T + 6 * HOUR, 13, 9);
    expect(spans(coverage.finish(T + 6 * HOUR))).toEqual([[0, 5 * HOUR]]);
  });

  it('end with the scope that names them no more', () => {
    const coverage = scoped();
    finding(coverage, T);
    coverage.scope({ observed_to: T + 600, expected: [] });
    expect(coverage.finish(T + 99 * HOUR)).toEqual([]);
  });

  it('go on over a scope that says the same again', () => {
    const coverage = scoped();
    finding(coverage, T);
    coverage.scope({
      observed_to: T + 4 * HOUR,
      expected: [{ target: 'appliance', check: 'disk', check_version: 1, cadence_s: 300 }],
    });
    expect(spans(coverage.finish(T + 5 * HOUR))).toEqual([[0, 5 * HOUR]]);
  });

  it('say nothing of a check that nobody expects, nor of a clock that goes back', () => {
    const coverage = createCoverage();
    finding(coverage, T);
    heartbeat(coverage, T + 90 * HOUR, 2);
    expect(coverage.finish(T + 99 * HOUR)).toEqual([]);
    const back = scoped();
    finding(back, T + HOUR);
    heartbeat(back, T - 50 * HOUR, 2);
    expect(back.finish(T - 50 * HOUR)).toEqual([]);
  });
});
