// Runs restic and reads what it prints. Location and password go by the names of files only: never on a command line, in
// a fact or in a detail. Nothing here writes to the repository, and no lock is taken.
import type { ExecResult } from '../system/ports.ts';
import { PROBE_MAX_OUTPUT_BYTES, Unreadable, type ProbeContext } from './probe.ts';
import type { BackupWatch } from './watch.ts';

/** Whether restic could open the repository; only what it positively says is told apart, the rest is unreadable. */
export type RepositoryState = 'open' | 'wrong_password' | 'missing';

export interface Snapshot {
  readonly id: string;
  /** Unix seconds, rounded down. */
  readonly at: number;
  readonly host: string;
  readonly paths: readonly string[];
}

export interface Lock {
  readonly exclusive: boolean;
  /** When it was taken or last renewed, Unix seconds. */
  readonly at: number;
}

/** Documented exit codes since restic 0.17; before, everything is 1 and only the text tells. */
const [EXIT_NO_REPOSITORY, EXIT_WRONG_PASSWORD] = [10, 12];
const WRONG_PASSWORD = /wrong password or no key found/;
const NO_REPOSITORY = /Is there a repository at the following location/;
/** What tells a repository that is not there from one that cannot be reached. */
const NOT_THERE = /no such file or directory|file does not exist|404 Not Found/i;

/** Pure. Null where restic does not say. */
export function repositoryProblem(code: number | null, stderr: string): Exclude<RepositoryState, 'open'> | null {
  if (code === EXIT_WRONG_PASSWORD || WRONG_PASSWORD.test(stderr)) return 'wrong_password';
  if (code === EXIT_NO_REPOSITORY || (NO_REPOSITORY.test(stderr) && NOT_THERE.test(stderr))) return 'missing';
  return null;
}

/** restic's environment. Without a home it keeps no cache of its own; ours would hold names of files. */
export function resticEnvironment(watch: Pick<BackupWatch, 'repositoryFile' | 'passwordFile'>): Record<string, string> {
  return { RESTIC_REPOSITORY_FILE: watch.repositoryFile, RESTIC_PASSWORD_FILE: watch.passwordFile };
}

/** Runs restic without taking a lock; the caller judges how it ended. */
export async function runRestic(
  context: ProbeContext,
  watch: BackupWatch,
  words: readonly string[],
): Promise<ExecResult> {
  return context.exec.run(['restic', '--no-lock', '--no-cache', ...words], {
    deadlineMs: context.deadlineMs,
    maxOutputBytes: PROBE_MAX_OUTPUT_BYTES,
    env: resticEnvironment(watch),
    ...(context.signal === undefined ? {} : { signal: context.signal }),
  });
}

const unparsable = (what: string): Unreadable =>
  new Unreadable('unparsable', `restic's ${what} is not what it documents`);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unparsable(what);
  }
}

/** RFC 3339 with nanoseconds, as Go prints it. */
function unixSeconds(time: unknown, what: string): number {
  const ms = isText(time) ? Date.parse(time.replace(/(\.\d{3})\d+/, '$1')) : Number.NaN;
  if (!Number.isFinite(ms)) throw unparsable(what);
  return Math.floor(ms / 1000);
}

/** `restic snapshots --json`. Pure. @throws Unreadable */
export function parseSnapshots(text: string): Snapshot[] {
  const list = parseJson(text, 'list of snapshots');
  // Without any snapshot some versions print null.
  if (list === null) return [];
  if (!Array.isArray(list)) throw unparsable('list of snapshots');
  return list.map((item: unknown) => {
    if (!isObject(item) || !isText(item.id) || !isText(item.hostname) || !Array.isArray(item.paths)) {
      throw unparsable('snapshot');
    }
    return {
      id: item.id,
      at: unixSeconds(item.time, 'snapshot'),
      host: item.hostname,
      paths: item.paths.filter(isText),
    };
  });
}

/** The snapshots that count, newest first. Pure. */
export function matchingSnapshots(
  snapshots: readonly Snapshot[],
  watch: Pick<BackupWatch, 'host' | 'paths'>,
): Snapshot[] {
  return snapshots
    .filter((s) => watch.host === null || s.host === watch.host)
    .filter((s) => watch.paths.every((path) => s.paths.includes(path)))
    .toSorted((a, b) => b.at - a.at);
}

/** `restic cat lock ID`. Pure. @throws Unreadable */
export function parseLock(text: string): Lock {
  const lock = parseJson(text, 'lock');
  if (!isObject(lock)) throw unparsable('lock');
  return { exclusive: lock.exclusive === true, at: unixSeconds(lock.time, 'lock') };
}

/** `restic list locks`: one id a line. Pure. @throws Unreadable */
export function parseIds(text: string): string[] {
  const ids = text.split('\n').filter((line) => line !== '');
  if (!ids.every((id) => /^[0-9a-f]{64}$/.test(id))) throw unparsable('list of ids');
  return ids;
}

/** `restic cat config`: the id that a repository keeps for life. Pure. @throws Unreadable */
export function parseRepositoryId(text: string): string {
  const config = parseJson(text, 'configuration');
  if (!isObject(config) || !isText(config.id) || !/^[0-9a-f]{64}$/.test(config.id)) throw unparsable('configuration');
  return config.id;
}
