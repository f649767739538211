// What the helper `restore-test` proved, kept as the result of the job of the same kind: the check `backup` reads results of jobs.
import { readJobResult, saveJobRun, type JobResult } from '../facts/job-result.ts';
import { Unreadable } from '../facts/probe.ts';
import { restoreTestRun } from '../helpers/heal-acts.ts';
import type { HelperResult } from '../helpers/helper-result.ts';

const JOB = 'backup-restore-test';

/** Once for each run: a result lies there until the machine is restarted. @throws AgentError of writing */
export function keepRestoreTest(stateDir: string, result: HelperResult | undefined): void {
  const run = result === undefined ? null : restoreTestRun(result);
  if (run === null) return;
  const last = lastOf(stateDir);
  if (last === null || last.last.finished_at < run.finished_at) saveJobRun(stateDir, JOB, run);
}

/** Null also where it cannot be read: then it is replaced. */
function lastOf(stateDir: string): JobResult | null {
  try {
    return readJobResult(stateDir, JOB);
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}
