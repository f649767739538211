// `job [NAME]`: runs a job that takes long or writes, and keeps its result for the probe; without a name, what was kept.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { closestName } from '../errors/closest-name.ts';
import {
  JOB_NAMES,
  leaveJobRun,
  readJobResult,
  type JobName,
  type JobResult,
  type JobRun,
} from '../facts/job-result.ts';
import { proveJob, runJob } from '../facts/jobs.ts';
import type { ProbeContext } from '../facts/probe.ts';
import type { CliContext } from './deps.ts';
import { baselineOf, stateDirOf } from './open-state.ts';
import { print } from './print.ts';
import { probeContext } from './probe-context.ts';

function jobName(given: string): JobName {
  const found = JOB_NAMES.find((name) => name === given);
  if (found !== undefined) return found;
  const close = closestName(given, JOB_NAMES);
  throw new AgentError('usage', `there is no job "${given}"`, {
    remedy: close === null ? `jobs: ${JOB_NAMES.join(', ')}` : `did you mean ${close}?`,
  });
}

function lineOf(name: string, run: JobRun): string {
  const counts = Object.entries(run.counts).map(([key, value]) => `${key} ${value}`);
  const when = new Date(run.finished_at * 1000).toISOString().slice(0, 19);
  const why = run.reason === null ? '' : ` (${run.reason})`;
  return [`${name}: ${run.outcome}${why} at ${when}Z`, ...counts].join(', ');
}

function list(context: CliContext): number {
  const stateDir = stateDirOf(context);
  const jobs = JOB_NAMES.map((name) => ({ name, result: readJobResult(stateDir, name) }));
  print(context, 'job', { jobs }, () =>
    jobs.map(({ name, result }) => (result === null ? `${name}: never ran` : lineOf(name, result.last))),
  );
  return EXIT.ok;
}

const EXIT_OF = { proven: EXIT.ok, disproven: EXIT.drift, inconclusive: EXIT.unavailable } as const;

/** Runs it, and leaves the result where the agent itself does not write. */
async function leave(name: JobName, probes: ProbeContext, dir: string): Promise<JobResult | null> {
  const run = await proveJob(name, probes);
  return run === null ? null : leaveJobRun(dir, name, run);
}

/**
 * Exit 6 when the job found what it looks for not to be so, 3 when it could not tell. With `--write DIR` the result is left as
 * `<DIR>/<name>.json`, for an agent that may not run the job itself.
 */
export async function job(
  context: CliContext,
  names: readonly string[],
  options: { write?: string } = {},
): Promise<number> {
  const [given] = names;
  if (given === undefined) return list(context);
  const name = jobName(given);
  const probes = probeContext(context, stateDirOf(context), baselineOf(context));
  const result = await (options.write === undefined ? runJob(name, probes) : leave(name, probes, options.write));
  print(context, 'job', { name, result }, () => [
    result === null ? `${name}: the baseline declares nothing for it` : lineOf(name, result.last),
  ]);
  return result === null ? EXIT.ok : EXIT_OF[result.last.outcome];
}
