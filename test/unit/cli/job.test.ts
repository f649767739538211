import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { JOB_NAMES } from '../../../agent/facts/job-result.ts';
import { cli } from '../../support/run-cli.ts';
import { fakeExec, type FakeProgram } from '../../support/fakes/fake-exec.ts';
import { temporaryTree } from '../../support/fixture-facts.ts';

const RUNBOOKS = join(import.meta.dirname, '../../../runbooks');
const ID = 'ab'.repeat(32);

/** Runs the verb in a state directory, with a restic that answers `check` in this way. */
function jobIn(dir: string, check: FakeProgram, ...argv: string[]) {
  const restic = (words: readonly string[]): FakeProgram =>
    words.includes('config') ? { stdout: JSON.stringify({ id: ID }) } : words.includes('check') ? check : {};
  return cli(['job', ...argv, '--state', dir], {
    deps: { exec: fakeExec({ restic }), loadChecks: (path) => loadChecks(RUNBOOKS, path) },
  });
}

describe('job', () => {
  it.each<[string, FakeProgram, number, string]>([
    ['proven with exit code 0', {}, 0, 'proven'],
    ['disproven with exit code 6', { code: 1, stderr: 'Fatal: repository contains errors' }, 6, 'disproven (damaged)'],
    ['not to be told with exit code 3', { status: 'timeout' }, 3, 'inconclusive (timeout)'],
  ])('says what was %s, and keeps it', async (_what, check, code, said) => {
    using state = temporaryTree({});
    const run = await jobIn(state.dir, check, 'backup-check');
    expect([run.code, run.err]).toEqual([code, '']);
    expect(run.out).toContain(`backup-check: ${said} at `);
    const kept = JSON.parse(readFileSync(join(state.dir, 'jobs/backup-check.json'), 'utf8')) as { last: object };
    expect((await jobIn(state.dir, check)).out).toContain(said);
    const { jobs } = (await jobIn(state.dir, check, '--json')).json<{
      jobs: { name: string; result: object | null }[];
    }>();
    expect(jobs.find(({ name }) => name === 'backup-check')?.result).toMatchObject({ last: kept.last });
  });

  it('without a name runs nothing, and says so of a job that never ran', async () => {
    using state = temporaryTree({});
    const run = await jobIn(state.dir, { status: 'timeout' });
    expect(run.code).toBe(0);
    expect(run.out).toBe(JOB_NAMES.map((name) => `${name}: never ran\n`).join(''));
  });

  it('a job for which the baseline declares nothing ends well, and says so', async () => {
    using state = temporaryTree({});
    const run = await cli(['job', 'backup-check', '--state', state.dir], {
      deps: { loadChecks: () => loadChecks(RUNBOOKS, join(RUNBOOKS, 'baselines/workstation.yaml')) },
    });
    expect([run.code, run.out]).toEqual([0, 'backup-check: the baseline declares nothing for it\n']);
  });

  it('names the job that was meant', async () => {
    using state = temporaryTree({});
    const run = await jobIn(state.dir, {}, 'backup-chek');
    expect(run.code).toBe(2);
    expect(run.err).toContain('backup-check');
  });
});
