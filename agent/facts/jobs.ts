// All jobs by name, and how one is run: its result is kept for the probe that reads it.
import { AgentError } from '../errors/agent-error.ts';
import { backupCheckJob, restoreTestJob, type JobOutcome } from './backup-jobs.ts';
import { loggingCanaryJob } from './logging-canary.ts';
import { saveJobRun, type JobName, type JobResult, type JobRun } from './job-result.ts';
import { Unreadable, type ProbeContext } from './probe.ts';

/** A large repository takes hours to read; a job that hangs must not hold the next night's run. */
export const JOB_DEADLINE_MS = 6 * 3_600_000;

type Job = (context: ProbeContext) => Promise<JobOutcome> | null;

export const JOBS: { readonly [N in JobName]: Job } = {
  'backup-check': (context) => (context.watch?.backup ? backupCheckJob(context, context.watch.backup) : null),
  'backup-restore-test': (context) => (context.watch?.backup ? restoreTestJob(context, context.watch.backup) : null),
  'logging-canary': (context) => (context.watch?.logging ? loggingCanaryJob(context) : null),
};

/** What stopped a job on its way, as its result: it proves nothing. A defect passes through. */
function stopped(error: unknown): JobOutcome {
  const reason = error instanceof Unreadable ? error.reason : error instanceof AgentError ? error.code : null;
  const errno = (error as NodeJS.ErrnoException | null)?.code;
  if (reason === null && errno === undefined) throw error;
  return { outcome: 'inconclusive', reason: reason ?? 'failed', subject: null, counts: {} };
}

/** Runs a job. Null where the baseline declares nothing for it. `deadlineMs`: of each of its programs. */
export async function proveJob(
  name: JobName,
  context: ProbeContext,
  deadlineMs: number = JOB_DEADLINE_MS,
): Promise<JobRun | null> {
  const now = (): number => Math.floor(context.clock.wallMs() / 1000);
  const startedAt = now();
  const work = JOBS[name]({ ...context, deadlineMs });
  if (work === null) return null;
  const outcome = await work.catch(stopped);
  return { ...outcome, started_at: startedAt, finished_at: now() };
}

/** Runs a job and keeps its result. Null where the baseline declares nothing for it. @throws AgentError of writing */
export async function runJob(name: JobName, context: ProbeContext): Promise<JobResult | null> {
  const run = await proveJob(name, context);
  return run === null ? null : saveJobRun(context.stateDir, name, run);
}
