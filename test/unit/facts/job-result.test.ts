import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readJobResult, saveJobRun, type JobRun } from '../../../agent/facts/job-result.ts';
import { runJob } from '../../../agent/facts/jobs.ts';
import { fakeExec } from '../../support/fakes/fake-exec.ts';
import { probeContext, READ_AT, temporaryTree } from '../../support/fixture-facts.ts';

const run = (outcome: JobRun['outcome'], finishedAt: number): JobRun => ({
  outcome,
  reason: outcome === 'proven' ? null : 'locked',
  subject: 'ab'.repeat(32),
  started_at: 1,
  finished_at: finishedAt,
  counts: { read_data_percent: 100 },
});

describe('results of jobs', () => {
  it('keep the last run, and the last one that proved something either way', () => {
    using state = temporaryTree({});
    expect(readJobResult(state.dir, 'backup-check')).toBeNull();
    saveJobRun(state.dir, 'backup-check', run('proven', 10));
    saveJobRun(state.dir, 'backup-check', run('inconclusive', 20));
    expect(readJobResult(state.dir, 'backup-check')).toMatchObject({
      last: { finished_at: 20 },
      conclusive: { outcome: 'proven', finished_at: 10 },
    });
    saveJobRun(state.dir, 'backup-check', run('disproven', 30));
    expect(readJobResult(state.dir, 'backup-check')?.conclusive?.outcome).toBe('disproven');
    expect(readJobResult(state.dir, 'backup-restore-test')).toBeNull();
  });

  it.each([
    ['no JSON', 'x'],
    ['another schema', '{"schema":"compliance-agent/job/v2"}'],
    [
      'another job',
      JSON.stringify({
        schema: 'compliance-agent/job/v1',
        job: 'backup-restore-test',
        last: run('proven', 1),
        conclusive: null,
      }),
    ],
    [
      'an unknown key',
      JSON.stringify({
        schema: 'compliance-agent/job/v1',
        job: 'backup-check',
        last: run('proven', 1),
        conclusive: null,
        x: 1,
      }),
    ],
  ])('that are damaged (%s) are unparsable, and the next run replaces them', (_what, text) => {
    using state = temporaryTree({ 'jobs/backup-check.json': text });
    expect(() => readJobResult(state.dir, 'backup-check')).toThrow(expect.objectContaining({ reason: 'unparsable' }));
    saveJobRun(state.dir, 'backup-check', run('inconclusive', 20));
    expect(readJobResult(state.dir, 'backup-check')).toMatchObject({ conclusive: null });
  });
});

describe('running a job', () => {
  const watch = (dir: string) => ({
    backup: {
      repositoryFile: join(dir, 'repository'),
      passwordFile: join(dir, 'password'),
      host: null,
      paths: [],
      readDataPercent: 50,
      restorePath: '/etc',
    },
  });

  it('a job for which nothing is declared is not run', async () => {
    using state = temporaryTree({});
    expect(await runJob('backup-check', probeContext({ stateDir: state.dir }))).toBeNull();
    expect(readJobResult(state.dir, 'backup-check')).toBeNull();
  });

  it('a tool that is missing makes the run inconclusive, with the reason', async () => {
    using state = temporaryTree({});
    const result = await runJob('backup-check', probeContext({ stateDir: state.dir, watch: watch(state.dir) }));
    expect(result?.last).toMatchObject({ outcome: 'inconclusive', reason: 'missing_tool', finished_at: READ_AT });
  });

  const ID = 'ab'.repeat(32);
  const LOCK = 'cd'.repeat(32);
  const tool = (check: object, locks: string) =>
    fakeExec({
      restic: (argv) => {
        const words = argv.slice(3).join(' ');
        if (words === 'cat config') return { stdout: JSON.stringify({ version: 2, id: ID }) };
        if (words === 'list locks') return { stdout: locks };
        if (words === `cat lock ${LOCK}`) return { stdout: '{"exclusive":true,"time":"2026-06-01T00:00:00Z"}' };
        return check;
      },
    });
  const checked = async (check: object, locks = '') => {
    using state = temporaryTree({});
    const exec = tool(check, locks);
    const result = await runJob('backup-check', probeContext({ exec, stateDir: state.dir, watch: watch(state.dir) }));
    return { last: result?.last, calls: exec.calls };
  };

  it('reads as much of the data as the baseline says', async () => {
    const { last, calls } = await checked({});
    expect(last).toMatchObject({ outcome: 'proven', subject: ID, counts: { read_data_percent: 50 } });
    expect(calls.at(-1)).toEqual(['restic', '--no-lock', '--no-cache', 'check', '--read-data-subset=50%']);
  });

  it.each([
    ['errors that restic found', { code: 1, stderr: 'Fatal: repository contains errors' }, '', 'disproven', 'damaged'],
    ['a connection that broke', { code: 1, stderr: 'Fatal: connection reset' }, '', 'inconclusive', 'failed'],
    ['a run that took too long', { status: 'timeout' }, '', 'inconclusive', 'timeout'],
    ['a repository that somebody else changes', { code: 0 }, `${LOCK}\n`, 'inconclusive', 'locked'],
  ])('%s', async (_what, check, locks, outcome, reason) => {
    expect((await checked(check, locks)).last).toMatchObject({ outcome, reason });
  });

  it('a repository without a snapshot has nothing that could be restored', async () => {
    using state = temporaryTree({});
    const context = probeContext({
      exec: tool({ code: 0, stdout: '[]' }, ''),
      stateDir: state.dir,
      watch: watch(state.dir),
    });
    const result = await runJob('backup-restore-test', context);
    expect(result?.last).toMatchObject({ outcome: 'disproven', reason: 'no_snapshot' });
  });
});
