import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepLeftJobs, keepRestoreTest } from '../../../agent/daemon/keep-job-results.ts';
import { leaveJobRun, readJobResult, type JobRun } from '../../../agent/facts/job-result.ts';
import type { HelperResult } from '../../../agent/helpers/helper-result.ts';

const NOW = 1_000;
let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'restore-test-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const result = (finishedAt: number, test: string, change: Partial<HelperResult> = {}): HelperResult => ({
  schema: 'compliance-agent/helper-result/v1',
  verb: 'restore-test',
  at: finishedAt,
  boot_id: 'b0',
  outcome: 'done',
  sentence: '',
  details: { test, repository: 'ab'.repeat(32), started_at: 1, finished_at: finishedAt, count_listed: 2 },
  ...change,
});
const kept = () => readJobResult(dir, 'backup-restore-test');

describe('what the helper restore-test proved', () => {
  it('is the result of the job from then on, and no older one replaces it', () => {
    keepRestoreTest(dir, result(100, 'proven'), NOW);
    expect(kept()?.conclusive).toMatchObject({ outcome: 'proven', finished_at: 100, counts: { listed: 2 } });
    keepRestoreTest(dir, result(90, 'disproven'), NOW);
    expect(kept()?.last.outcome).toBe('proven');
    keepRestoreTest(dir, result(110, 'inconclusive'), NOW);
    expect([kept()?.last.outcome, kept()?.conclusive?.outcome]).toEqual(['inconclusive', 'proven']);
  });

  it('is nothing where the helper refused or has not run, and replaces what cannot be read', () => {
    keepRestoreTest(dir, undefined, NOW);
    keepRestoreTest(dir, result(100, 'proven', { outcome: 'refused', details: {} }), NOW);
    expect(kept()).toBeNull();
    keepRestoreTest(dir, result(100, 'proven'), NOW);
    writeFileSync(join(dir, 'jobs/backup-restore-test.json'), '{');
    keepRestoreTest(dir, result(100, 'proven'), NOW);
    expect(kept()?.last.outcome).toBe('proven');
  });
});

describe("what root's timers proved", () => {
  const run = (finishedAt: number, outcome: JobRun['outcome']): JobRun => ({
    ...{ outcome, reason: outcome === 'proven' ? null : 'damaged', subject: 'ab'.repeat(32) },
    ...{ started_at: 1, finished_at: finishedAt, counts: { listed: 2 } },
  });
  function left(): string {
    const from = join(dir, 'left');
    mkdirSync(from, { recursive: true });
    chmodSync(from, 0o755);
    return from;
  }
  const keep = (from: string, now = NOW): string[] => {
    const told: string[] = [];
    keepLeftJobs(dir, from, (job) => told.push(job), { now, rootUid: process.getuid?.() });
    return told;
  };

  it('is not taken from a folder that another could have filled, and that is told', () => {
    const from = left();
    leaveJobRun(from, 'backup-check', run(100, 'proven'));
    chmodSync(from, 0o777);
    expect(keep(from)).toEqual(['backup-check', 'backup-restore-test']);
    chmodSync(from, 0o755);
    const told: string[] = [];
    keepLeftJobs(dir, from, (job) => told.push(job), { now: NOW, rootUid: (process.getuid?.() ?? 0) + 1 });
    expect(told).toEqual(['backup-check', 'backup-restore-test']);
    expect(readJobResult(dir, 'backup-check')).toBeNull();
  });

  it('is nothing where there is nothing', () => {
    expect(keep(join(dir, 'nowhere'))).toEqual([]);
  });

  it('is kept once, the newest counts, and what could not tell undoes no proof', () => {
    const from = left();
    leaveJobRun(from, 'backup-check', run(100, 'proven'));
    expect(keep(from)).toEqual([]);
    leaveJobRun(from, 'backup-check', run(200, 'inconclusive'));
    keep(from);
    const kept = readJobResult(dir, 'backup-check');
    expect([kept?.last.outcome, kept?.conclusive?.finished_at]).toEqual(['inconclusive', 100]);
    leaveJobRun(from, 'backup-check', run(150, 'proven'));
    writeFileSync(join(from, 'backup-restore-test.json'), '{', { mode: 0o644 });
    expect(keep(from)).toEqual(['backup-restore-test']);
    expect(readJobResult(dir, 'backup-check')?.last.finished_at).toBe(200);
  });

  it('with a clock that was a year ahead keeps no later proof away, and takes the place of none once the clock is right', () => {
    const from = left();
    const ahead = run(31_536_000, 'disproven');
    leaveJobRun(from, 'backup-check', ahead);
    // Nobody knows yet that it is wrong.
    keep(from, 31_536_000);
    const at = () => readJobResult(dir, 'backup-check')?.last.finished_at;
    expect(at()).toBe(ahead.finished_at);
    leaveJobRun(from, 'backup-check', run(900, 'proven'));
    keep(from);
    expect(at()).toBe(900);
    leaveJobRun(from, 'backup-check', ahead);
    keep(from);
    expect(at()).toBe(900);
  });
});
