// The two long jobs about a backup: restic reads the stored data back, and a part of the newest snapshot is restored and
// compared. Both take no lock: they would keep the clinic's own backup out for hours.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecResult } from '../system/ports.ts';
import { resticCalls } from './backup.ts';
import type { JobRun } from './job-result.ts';
import type { ProbeContext } from './probe.ts';
import { matchingSnapshots, parseIds, parseLock, parseRepositoryId, parseSnapshots, runRestic } from './restic.ts';
import { parseListedFiles, type ListedFile } from './restic-listing.ts';
import type { BackupWatch } from './watch.ts';

/** What a job found; the runner adds the times. */
export type JobOutcome = Pick<JobRun, 'outcome' | 'reason' | 'subject' | 'counts'>;

/** What restic says when it ran to its end and found errors. Any other failure proves nothing. */
const FOUND_ERRORS = /repository contains errors|Fatal: There were \d+ errors/;
/**
 * On a disk, and only the owner can rename what lies there. Not the state directory: that is the agent's, and root must not
 * restore or remove below a folder that somebody else can exchange for a link.
 */
const TEMPORARY = '/var/tmp';
const RESTORE_PREFIX = 'compliance-agent-restore-';
const READ_CHUNK_BYTES = 1024 * 1024;

const inconclusive = (reason: string, subject: string | null): JobOutcome => ({
  outcome: 'inconclusive',
  reason,
  subject,
  counts: {},
});

/** A repository that another program changes at this moment would look damaged. */
async function isLockedExclusively(restic: (...words: string[]) => Promise<string>): Promise<boolean> {
  const ids = parseIds(await restic('list', 'locks'));
  for (const id of ids) if (parseLock(await restic('cat', 'lock', id)).exclusive) return true;
  return false;
}

function failureReason(result: ExecResult): string {
  return result.status === 'exited' ? 'failed' : result.status === 'not_found' ? 'missing_tool' : result.status;
}

/** `restic check` with as much of the stored data as the baseline says. Never rejects for what restic meets. */
export async function backupCheckJob(context: ProbeContext, watch: BackupWatch): Promise<JobOutcome> {
  const restic = resticCalls(context, watch);
  const subject = parseRepositoryId(await restic('cat', 'config'));
  if (await isLockedExclusively(restic)) return inconclusive('locked', subject);
  const percent = watch.readDataPercent;
  const data = percent === 100 ? '--read-data' : `--read-data-subset=${percent}%`;
  const result = await runRestic(context, watch, ['check', data]);
  const counts = { read_data_percent: percent };
  if (result.status === 'exited' && result.code === 0) return { outcome: 'proven', reason: null, subject, counts };
  if (result.status === 'exited' && FOUND_ERRORS.test(result.stderr.toString('utf8'))) {
    // Whoever took the repository for himself while restic read it may be the cause.
    if (await isLockedExclusively(restic)) return inconclusive('locked', subject);
    return { outcome: 'disproven', reason: 'damaged', subject, counts };
  }
  return inconclusive(failureReason(result), subject);
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: READ_CHUNK_BYTES })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The file that was backed up, where this machine still has it unchanged since: same size and time of change. */
async function isUnchangedHere(file: ListedFile): Promise<boolean> {
  const here = await lstat(file.path).catch(() => null);
  return here?.isFile() === true && here.size === file.size && Math.abs(here.mtimeMs - file.mtimeMs) < 1;
}

interface Comparison {
  /** Restored with the size that the snapshot lists. */
  readonly restored: number;
  readonly bytes: number;
  /** Of these, identical to the file that was backed up. */
  readonly identical: number;
  readonly different: number;
}

async function compare(files: readonly ListedFile[], target: string): Promise<Comparison> {
  let [restored, bytes, identical, different] = [0, 0, 0, 0];
  for (const file of files) {
    const path = join(target, file.path);
    const stat = await lstat(path).catch(() => null);
    if (stat?.isFile() !== true || stat.size !== file.size) continue;
    restored += 1;
    bytes += stat.size;
    if (!(await isUnchangedHere(file))) continue;
    if ((await digestOf(path)) === (await digestOf(file.path))) identical += 1;
    else different += 1;
  }
  return { restored, bytes, identical, different };
}

/**
 * Restores the declared path of the newest snapshot into a private folder, has restic compare it with what it stored, and
 * compares it with the snapshot's list and with the files that this machine still has. The folder is removed in any case.
 */
export async function restoreTestJob(context: ProbeContext, watch: BackupWatch): Promise<JobOutcome> {
  const restic = resticCalls(context, watch);
  const subject = parseRepositoryId(await restic('cat', 'config'));
  const newest = matchingSnapshots(parseSnapshots(await restic('snapshots', '--json')), watch)[0];
  if (newest === undefined) return { outcome: 'disproven', reason: 'no_snapshot', subject, counts: {} };
  const files = parseListedFiles(await restic('ls', '--json', '--recursive', newest.id, watch.restorePath));
  // restic restores nothing and calls that a success where nothing has the name.
  if (files.length === 0) return { outcome: 'disproven', reason: 'nothing_to_restore', subject, counts: {} };

  const parent = context.tmpDir ?? TEMPORARY;
  await removeLeftovers(parent);
  const target = await mkdtemp(join(parent, `${RESTORE_PREFIX}${process.pid}-`));
  try {
    const include = escapePattern(watch.restorePath);
    const words = ['restore', newest.id, '--target', target, '--include', include, '--verify'];
    const result = await runRestic(context, watch, words);
    const seen = await compare(files, target);
    const counts = { listed: files.length, ...seen };
    if (seen.different > 0) return { outcome: 'disproven', reason: 'differs', subject, counts };
    if (result.status === 'exited' && result.code === 0) {
      if (seen.restored === files.length) return { outcome: 'proven', reason: null, subject, counts };
      return { outcome: 'disproven', reason: 'incomplete', subject, counts };
    }
    if (result.status === 'exited' && FOUND_ERRORS.test(result.stderr.toString('utf8'))) {
      return { outcome: 'disproven', reason: 'damaged', subject, counts };
    }
    return inconclusive(failureReason(result), subject);
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

/**
 * What a run that was killed left behind are files of the clinic; a run that still works keeps its own. Names prove nothing
 * in a folder that everybody may write into: only folders of our own user are removed, and no link is followed.
 */
async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(RESTORE_PREFIX) || isAlive(Number.parseInt(name.slice(RESTORE_PREFIX.length), 10))) continue;
    const path = join(parent, name);
    const stat = await lstat(path).catch(() => null);
    if (stat?.isDirectory() === true && stat.uid === process.getuid?.()) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** --include takes a pattern; the declared path is meant as it stands. */
function escapePattern(path: string): string {
  return path.replace(/[\\*?[\]]/g, String.raw`\$&`);
}
