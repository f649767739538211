// What a scheduled job left behind: its last run, and the last run that proved something either way. Jobs are for what
// takes long or writes; probes read their results.
import { lchownSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import { fileError, readFileLimited, readUnforgeableFile, writeFileAtomic } from '../system/files.ts';
import { assertRootsOwn } from './root-facts.ts';
import { Unreadable } from './probe.ts';

export const JOB_NAMES = ['backup-check', 'backup-restore-test', 'logging-canary'] as const;
export type JobName = (typeof JOB_NAMES)[number];

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** A closed word of the job, as `locked`. */
const word = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,63}$/));

const jobRun = v.strictObject({
  /** `proven`: it did what it is for and all is well; `disproven`: it did, and it is not; `inconclusive`: it could not. */
  outcome: v.picklist(['proven', 'disproven', 'inconclusive']),
  /** Why not `proven`. */
  reason: v.nullable(word),
  /** What it was about, as the id of a repository. */
  subject: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  /** Unix seconds. */
  started_at: count,
  finished_at: count,
  counts: v.record(word, count),
});
export type JobRun = v.InferOutput<typeof jobRun>;

const jobResult = v.strictObject({
  schema: v.literal('compliance-agent/job/v1'),
  job: v.picklist(JOB_NAMES),
  last: jobRun,
  /** The last run that was not `inconclusive`; a run that could not tell does not undo what an earlier one proved. */
  conclusive: v.nullable(jobRun),
});
export type JobResult = v.InferOutput<typeof jobResult>;

const MAX_RESULT_BYTES = 64 * 1024;
/** The folder is the state directory's own; what root writes into it has to be readable by the agent. */
const RESULT_MODE = 0o644;

const pathOf = (stateDir: string, job: JobName): string => join(stateDir, 'jobs', `${job}.json`);

/** Made by whoever comes first; where that is root, the owner of the state directory gets it: the agent writes there too. */
export function makeJobsDir(stateDir: string): string {
  const dir = join(stateDir, 'jobs');
  const isNew = mkdirSync(dir, { recursive: true, mode: 0o755 }) !== undefined;
  if (!lstatSync(dir).isDirectory()) {
    throw new AgentError('file_permissions', 'the folder for results of jobs is a link', { place: dir });
  }
  if (isNew && process.getuid?.() === 0) {
    const { uid, gid } = statSync(stateDir);
    lchownSync(dir, uid, gid);
  }
  return dir;
}

/** Null where the job never ran. @throws Unreadable, or AgentError of reading files */
export function readJobResult(stateDir: string, job: JobName): JobResult | null {
  return parseResult(job, () => readFileLimited(pathOf(stateDir, job), MAX_RESULT_BYTES));
}

/** Where root's oneshots leave results of jobs that the agent may not run itself. A folder of root's. */
export const ROOT_JOBS_DIR = '/run/compliance-agent/jobs';
const ROOT_UID = 0;

/** Leaves `<dir>/<job>.json` for the agent to take. @throws AgentError of writing */
export function leaveJobRun(dir: string, job: JobName, run: JobRun): JobResult {
  const conclusive = run.outcome === 'inconclusive' ? null : run;
  const result: JobResult = { schema: 'compliance-agent/job/v1', job, last: run, conclusive };
  writeFileAtomic(join(dir, `${job}.json`), `${JSON.stringify(result)}\n`, { mode: RESULT_MODE, sync: false });
  return result;
}

/** What root left; null where that is nothing. `rootUid`: of who may have written it. @throws Unreadable, or AgentError where others than root could have written it */
export function readLeftJobRun(dir: string, job: JobName, rootUid = ROOT_UID): JobRun | null {
  const left = parseResult(job, () => {
    try {
      assertRootsOwn(dir, rootUid);
    } catch (error) {
      throw fileError(error, 'read', dir);
    }
    return readUnforgeableFile(join(dir, `${job}.json`), MAX_RESULT_BYTES, rootUid);
  });
  return left?.last ?? null;
}

function parseResult(job: JobName, read: () => Buffer): JobResult | null {
  let bytes: Buffer;
  try {
    bytes = read();
  } catch (error) {
    if (error instanceof AgentError && error.code === 'file_missing') return null;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new Unreadable('unparsable', `the result of ${job} is not JSON`, cause);
  }
  const parsed = v.safeParse(jobResult, value);
  if (!parsed.success || parsed.output.job !== job) {
    throw new Unreadable('unparsable', `the result of ${job} is not of its schema`);
  }
  return parsed.output;
}

/** Keeps the last conclusive run beside the new one. A result that cannot be read is replaced. @throws AgentError of writing */
export function saveJobRun(stateDir: string, job: JobName, run: JobRun): JobResult {
  let before: JobResult | null = null;
  try {
    before = readJobResult(stateDir, job);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
  }
  const conclusive = run.outcome === 'inconclusive' ? (before?.conclusive ?? null) : run;
  const result: JobResult = { schema: 'compliance-agent/job/v1', job, last: run, conclusive };
  makeJobsDir(stateDir);
  writeFileAtomic(pathOf(stateDir, job), `${JSON.stringify(result)}\n`, { mode: RESULT_MODE });
  return result;
}
