// `provision reset`: the machine forgets who it was. Its keys are overwritten and removed; its log is set aside whole, where it
// can still be read, verified and exported. A note says what was begun, so that a kill at any step is made good at the next start.
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { DATABASE_FILE, LOCK_FILE } from '../store/open-store.ts';
import { SET_ASIDE_NOTE } from '../store/set-aside.ts';
import { takeWriterLock } from '../store/writer-lock.ts';
import { fileError, overwriteAndRemove, syncDirectory, writeFileAtomic } from '../system/files.ts';
import { CONTROL_DIR } from '../system/status-file.ts';
import { CLAIM_FILE } from './claim-file.ts';

export const RESET_NOTE = 'reset.json';
const KEY_DIR = 'keys';
/** Database first would do as well: nobody opens either before the whole move is done. */
const PARTS = ['-wal', '-shm', ''];
/** The daemon of another user has to read it; there is nothing secret in it. */
const NOTE_MODE = 0o644;

interface Note {
  /** Name of the folder below the state directory that takes the log. */
  readonly folder: string;
}

/** Whether a reset was asked for and is not done. */
export const isResetPending = (stateDir: string): boolean => existsSync(join(stateDir, RESET_NOTE));

/**
 * Says on the disk that the machine is to forget who it was; from here on it does, at the next start at the latest. Only who may
 * write the state directory can: the agent's own user, and root.
 *
 * @param stamp tells the folder of the log from others, for people: the time
 * @returns the folder's name
 * @throws file_…, disk_full
 */
export function beginReset(stateDir: string, stamp: string): string {
  if (isResetPending(stateDir)) return readNote(stateDir).folder;
  let folder = `retired-${stamp}`;
  for (let n = 2; existsSync(join(stateDir, folder)); n += 1) folder = `retired-${stamp}-${n}`;
  writeFileAtomic(join(stateDir, RESET_NOTE), `${JSON.stringify({ folder } satisfies Note)}\n`, { mode: NOTE_MODE });
  return folder;
}

/**
 * Ends a reset that was begun; does nothing where none was. Done again after a kill, it goes on where that one ended.
 *
 * @returns where the log lies now, null where no reset was asked for
 * @throws store_locked while a daemon runs with this directory; reset_unreadable, file_…
 */
export function finishReset(stateDir: string): string | null {
  if (!isResetPending(stateDir)) return null;
  const { folder } = readNote(stateDir);
  const unlock = takeWriterLock(join(stateDir, LOCK_FILE));
  try {
    const place = join(stateDir, folder);
    moveLog(stateDir, place);
    wipeKeys(join(stateDir, KEY_DIR));
    for (const name of [SET_ASIDE_NOTE, CLAIM_FILE, CONTROL_DIR]) {
      rmSync(join(stateDir, name), { force: true, recursive: true });
    }
    syncDirectory(stateDir);
    rmSync(join(stateDir, RESET_NOTE), { force: true });
    syncDirectory(stateDir);
    return place;
  } catch (error) {
    throw fileError(error, 'write', stateDir);
  } finally {
    unlock();
  }
}

function readNote(stateDir: string): Note {
  const path = join(stateDir, RESET_NOTE);
  try {
    const { folder } = JSON.parse(readFileSync(path, 'utf8')) as Note;
    if (/^retired-[a-z0-9-]+$/i.test(folder)) return { folder };
  } catch {
    // Falls through: not what this file wrote.
  }
  throw new AgentError('reset_unreadable', 'the note of a reset that was begun cannot be read', { place: path });
}

function moveLog(stateDir: string, place: string): void {
  const { uid, gid } = statSync(stateDir);
  mkdirSync(place, { recursive: true, mode: 0o750 });
  // Root may do it for a daemon that is stopped.
  if (process.getuid?.() === 0) chownSync(place, uid, gid);
  for (const part of PARTS) {
    const [from, to] = [join(stateDir, `${DATABASE_FILE}${part}`), join(place, `${DATABASE_FILE}${part}`)];
    if (existsSync(from) && !existsSync(to)) renameSync(from, to);
  }
  syncDirectory(place);
}

/** Everything in the folder, the keepsake included. */
function wipeKeys(keyDir: string): void {
  if (!existsSync(keyDir)) return;
  for (const name of readdirSync(keyDir)) {
    overwriteAndRemove(join(keyDir, name));
  }
}
