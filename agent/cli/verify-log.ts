// Runs one log through the verifier, line by line, with progress, and so that an interrupted run can be gone on with.
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { AgentError } from '../errors/agent-error.ts';
import { createLogVerifier, type LogVerifierOptions } from '../verify/log-verifier.ts';
import type { Progress } from './progress.ts';
import type { ResumeFile } from './resume-file.ts';
import type { VerifiedLog } from './verdict-lines.ts';

export interface LogJob {
  /** File, folder or state directory, with the epoch where there are several. */
  readonly source: string;
  /** Every line without its LF; the same again whenever it is asked for. */
  readonly lines: Iterable<string>;
  readonly total: number | null;
  readonly options: LogVerifierOptions;
}

/** Between two saves: a second or two of work. */
const SAVE_EVERY_LINES = 10_000;

/**
 * With `resume`, lines that an earlier run has verified are only hashed: they must be the same.
 *
 * @throws resume_mismatch where they are not
 */
export async function verifyLog(
  job: LogJob,
  progress: Progress,
  resume: ResumeFile | null,
  saveEvery = SAVE_EVERY_LINES,
): Promise<VerifiedLog> {
  const saved = resume?.stateOf(job.source) ?? null;
  const verifier = createLogVerifier(job.options, saved?.state);
  const hash = createHash('sha256');
  let count = 0;
  for (const line of job.lines) {
    count += 1;
    if (resume !== null) hash.update(line).update('\n');
    if (saved !== null && count <= saved.lines) {
      if (count === saved.lines && hash.copy().digest('hex') !== saved.sha256) throw changed(job.source);
      continue;
    }
    verifier.push(line);
    progress.at(count, job.total);
    if (resume === null || count % saveEvery !== 0) continue;
    const state = verifier.state();
    if (state !== null) resume.save(job.source, { lines: count, sha256: hash.copy().digest('hex'), state });
    // Lets the process hear that it is to end.
    await setImmediate();
  }
  if (saved !== null && count < saved.lines) throw changed(job.source);
  progress.end();
  return { ...verifier.finish(), source: job.source };
}

const changed = (place: string): AgentError<'resume_mismatch'> =>
  new AgentError('resume_mismatch', 'the lines that were verified before are not there as they were', { place });
