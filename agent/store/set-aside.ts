// A damaged database is moved aside whole, never deleted: into a folder of its own, so that what can still be read of it can be
// read later. A kill in between leaves a marker, and the next start goes on where this one ended.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { writeFileAtomic } from '../system/files.ts';
import { guarded } from './sqlite-errors.ts';
import { takeWriterLock } from './writer-lock.ts';

export const SET_ASIDE_NOTE = 'set-aside.json';
/** The write-ahead log goes first: a database without its newest commits must not be taken for a sound one. */
const PARTS = ['-wal', '-shm', ''];

interface Marker {
  /** Name of the folder below the state directory. */
  readonly folder: string;
}

/**
 * Moves `file` and what belongs to it into a new folder beside it. Done again after a kill, it ends what was begun.
 *
 * @param stamp tells this folder from others, for people: the time
 * @returns the folder, which stays pending until `settleSetAside`
 */
export function setAside(dir: string, file: string, lockFile: string, stamp: string): string {
  const unlock = takeWriterLock(join(dir, lockFile));
  try {
    const begun = pendingSetAside(dir);
    const folder = begun ?? freeName(dir, `damaged-${stamp}`);
    if (begun === null) writeFileAtomic(join(dir, SET_ASIDE_NOTE), `${JSON.stringify({ folder } satisfies Marker)}\n`);
    guarded(dir, () => {
      mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 });
      for (const part of PARTS) {
        const [from, to] = [join(dir, `${file}${part}`), join(dir, folder, `${file}${part}`)];
        // What is there already was moved before the kill; a file of that name here is a new one.
        if (existsSync(from) && !existsSync(to)) renameSync(from, to);
      }
    });
    return folder;
  } finally {
    unlock();
  }
}

/** The folder of a database that was set aside and has no successor yet; null where there is none. */
export function pendingSetAside(dir: string): string | null {
  const path = join(dir, SET_ASIDE_NOTE);
  if (!existsSync(path)) return null;
  try {
    const { folder } = JSON.parse(readFileSync(path, 'utf8')) as Marker;
    if (/^damaged-[a-z0-9-]+$/i.test(folder)) return folder;
  } catch {
    // Falls through: not what this file wrote.
  }
  throw new AgentError('store_corrupt', 'the note of a database that was set aside cannot be read', { place: path });
}

/** The new database has taken over: the next start finds nothing pending. */
export function settleSetAside(dir: string): void {
  guarded(dir, () => rmSync(join(dir, SET_ASIDE_NOTE), { force: true }));
}

function freeName(dir: string, name: string): string {
  for (let n = 1; ; n += 1) {
    const tried = n === 1 ? name : `${name}-${n}`;
    if (!existsSync(join(dir, tried))) return tried;
  }
}
