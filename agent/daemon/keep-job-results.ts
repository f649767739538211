// What root proved about the backup, kept as results of the agent's own jobs, where the check `backup` looks: by its timers, and by
// the helper `restore-test`.
import { isAgentError } from '../errors/agent-error.ts';
import { readJobResult, readLeftJobRun, saveJobRun, type JobName, type JobRun } from '../facts/job-result.ts';
import { Unreadable } from '../facts/probe.ts';
import { restoreTestRun } from '../helpers/heal-acts.ts';
import type { HelperResult } from '../helpers/helper-result.ts';

const RESTORE_TEST = 'backup-restore-test';
/** Jobs that need what only root may read. */
const ROOT_JOBS: readonly JobName[] = ['backup-check', RESTORE_TEST];

/** Further ahead than this a run was dated by a clock that was wrong: `clock_tolerance_minutes` of the shipped baselines. */
const FUTURE_S = 600;

/**
 * Once for each run: a result lies there until the machine is restarted.
 *
 * @param now Unix seconds
 * @throws AgentError of writing
 */
export function keepRestoreTest(stateDir: string, result: HelperResult | undefined, now: number): void {
  const run = result === undefined ? null : restoreTestRun(result);
  if (run !== null) keepNewer(stateDir, RESTORE_TEST, run, now);
}

/**
 * Takes what root's timers left in `dir`; `rootUid`: whose it has to be, 0 by default. What cannot be used is told by `tell` and changes nothing.
 *
 * @param o `now`: Unix seconds
 * @throws AgentError of writing
 */
export function keepLeftJobs(
  stateDir: string,
  dir: string,
  tell: (job: JobName, reason: string) => void,
  o: { readonly now: number; readonly rootUid?: number | undefined },
): void {
  for (const job of ROOT_JOBS) {
    let run: JobRun | null;
    try {
      run = readLeftJobRun(dir, job, o.rootUid);
    } catch (error) {
      if (!(error instanceof Unreadable) && !isAgentError(error)) throw error;
      tell(job, error.message);
      continue;
    }
    if (run !== null) keepNewer(stateDir, job, run, o.now);
  }
}

/** What a wrong clock dated ahead gives way to every run that is not, or nothing would be proven until that day. */
function keepNewer(stateDir: string, job: JobName, run: JobRun, now: number): void {
  const last = lastOf(stateDir, job);
  const isAhead = (one: JobRun): boolean => one.finished_at > now + FUTURE_S;
  const isNewer =
    last === null || (isAhead(last) === isAhead(run) ? last.finished_at < run.finished_at : isAhead(last));
  if (isNewer) saveJobRun(stateDir, job, run);
}

/** Null also where it cannot be read: then it is replaced. */
function lastOf(stateDir: string, job: JobName): JobRun | null {
  try {
    return readJobResult(stateDir, job)?.last ?? null;
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}
