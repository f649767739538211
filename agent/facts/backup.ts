// Reads the real state of the restic repository that the baseline declares, and what the scheduled jobs proved about it.
import { statSync } from 'node:fs';
import type { ExecResult } from '../system/ports.ts';
import { secretFileProblem } from '../system/files.ts';
import { readJobResult, type JobName, type JobRun } from './job-result.ts';
import { unreadableResult, Unreadable, type Probe, type ProbeContext } from './probe.ts';
import {
  matchingSnapshots,
  parseIds,
  parseLock,
  parseRepositoryId,
  parseSnapshots,
  repositoryProblem,
  runRestic,
  type Lock,
  type RepositoryState,
} from './restic.ts';
import type { BackupWatch } from './watch.ts';

/** A repository has one lock for each program that works on it. */
const MAX_LOCKS = 16;

/** What a job proved about this repository, and how its last run ended. */
export interface JobFacts {
  readonly conclusive: JobRun | null;
  /** Null where the job never ran. */
  readonly last: { readonly outcome: JobRun['outcome']; readonly reason: string | null } | null;
}

export interface BackupFacts {
  readonly repository: RepositoryState;
  /** Others than its owner can read or change the file of the password. */
  readonly passwordFileExposed: boolean;
  /** Null where the repository could not be opened; so for all that follows. */
  readonly repositoryId: string | null;
  readonly snapshots: number | null;
  /** Unix seconds; null also where no snapshot counts. */
  readonly newestAt: number | null;
  readonly locks: readonly Lock[];
  readonly integrity: JobFacts;
  readonly restore: JobFacts;
}

type Restic = (...words: string[]) => Promise<string>;

/** What restic positively said: a fact for the probe, and no way on for a job. */
class NotOpen extends Unreadable {
  readonly state: Exclude<RepositoryState, 'open'>;
  constructor(state: Exclude<RepositoryState, 'open'>) {
    super('failed', `the repository cannot be opened: ${state.replace('_', ' ')}`);
    this.state = state;
  }
}

/** restic's own words may hold the location, and that a password: they are left out of the detail. */
function outputOf(result: ExecResult): string {
  if (result.status === 'exited' && result.code === 0) return result.stdout.toString('utf8');
  if (result.status !== 'exited') throw unreadableResult('restic', result);
  const stderr = result.stderr.toString('utf8');
  const problem = repositoryProblem(result.code, stderr);
  if (problem !== null) throw new NotOpen(problem);
  const reason = /permission denied/i.test(stderr) ? 'denied' : 'failed';
  throw new Unreadable(reason, `restic ended with code ${result.code}; run it by hand to see why`);
}

async function readLocks(restic: Restic): Promise<Lock[]> {
  const ids = parseIds(await restic('list', 'locks'));
  if (ids.length > MAX_LOCKS) throw new Unreadable('too_much_output', `the repository has ${ids.length} locks`);
  const read = await Promise.allSettled(ids.map(async (id) => parseLock(await restic('cat', 'lock', id))));
  const unread = ids.filter((_, i) => read[i]?.status === 'rejected');
  // A lock that was given up in between is none; one that is still there and cannot be read is not nothing.
  const remaining = unread.length === 0 ? [] : parseIds(await restic('list', 'locks'));
  if (unread.some((id) => remaining.includes(id))) throw new Unreadable('failed', 'restic cannot read a lock');
  return read.flatMap((lock) => (lock.status === 'fulfilled' ? [lock.value] : []));
}

/** What the agent itself adds: results of jobs lie in its state directory. */
const NO_JOB: JobFacts = { conclusive: null, last: null };

/** What a job found out about another repository proves nothing about this one. */
function jobFacts(stateDir: string, job: JobName, repositoryId: string | null): JobFacts {
  const result = readJobResult(stateDir, job);
  if (result === null) return NO_JOB;
  const { outcome, reason } = result.last;
  const isOurs = repositoryId !== null && result.conclusive?.subject === repositoryId;
  return { conclusive: isOurs ? result.conclusive : null, last: { outcome, reason } };
}

/** Whether others can read or change the password's file. @throws what the file system says */
export function isPasswordExposed(watch: Pick<BackupWatch, 'passwordFile'>): boolean {
  const isSystemdCredential = watch.passwordFile.startsWith('/run/credentials/');
  return (
    secretFileProblem(statSync(watch.passwordFile), { ownUid: process.getuid?.() ?? 0, isSystemdCredential }) !== null
  );
}

/** restic's answers for a declared repository. */
export function resticCalls(context: ProbeContext, watch: BackupWatch): Restic {
  return async (...words) => outputOf(await runRestic(context, watch, words));
}

async function readRepository(
  restic: Restic,
  watch: BackupWatch,
): Promise<Pick<BackupFacts, 'repository' | 'repositoryId' | 'snapshots' | 'newestAt' | 'locks'>> {
  // Each call costs a key derivation; side by side they take the time of one. All are awaited before any error is
  // passed on, so that no restic is left behind.
  const [id, snapshots, locks] = await Promise.allSettled([
    restic('cat', 'config').then(parseRepositoryId),
    restic('snapshots', '--json').then(parseSnapshots),
    readLocks(restic),
  ]);
  for (const answer of [id, snapshots, locks]) {
    if (answer.status === 'fulfilled') continue;
    if (!(answer.reason instanceof NotOpen)) throw answer.reason;
    return { repository: answer.reason.state, repositoryId: null, snapshots: null, newestAt: null, locks: [] };
  }
  const matching = snapshots.status === 'fulfilled' ? matchingSnapshots(snapshots.value, watch) : [];
  return {
    repository: 'open',
    repositoryId: id.status === 'fulfilled' ? id.value : null,
    snapshots: matching.length,
    newestAt: matching[0]?.at ?? null,
    locks: locks.status === 'fulfilled' ? locks.value : [],
  };
}

export const backupProbe: Probe<BackupFacts> = {
  name: 'backup',
  asRoot: { everyS: 1800 },
  async read(context) {
    const watch = context.watch?.backup;
    if (watch === undefined) throw new Unreadable('not_declared', 'the baseline declares no backup');
    const passwordFileExposed = isPasswordExposed(watch);
    const repository = await readRepository(resticCalls(context, watch), watch);
    return { ...repository, passwordFileExposed, integrity: NO_JOB, restore: NO_JOB };
  },
  own: (read, { stateDir }) => ({
    ...read,
    integrity: jobFacts(stateDir, 'backup-check', read.repositoryId),
    restore: jobFacts(stateDir, 'backup-restore-test', read.repositoryId),
  }),
};
