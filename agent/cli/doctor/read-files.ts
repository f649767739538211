// Looks at the modes and owners of the agent's files. Opens none of them.
import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';

export interface FileLook {
  readonly path: string;
  readonly kind: 'missing' | 'denied' | 'directory' | 'file' | 'other';
  /** Permission bits, 0 where nothing was seen. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface FilesReading {
  readonly stateDir: FileLook;
  readonly keyDir: FileLook;
  readonly keys: readonly FileLook[];
  /** What else the daemon writes. */
  readonly written: readonly FileLook[];
  readonly provisionDir: FileLook;
  /** Holds the one-time token until it is used. */
  readonly clinic: FileLook;
}

const KEY_FILES = ['device.key', 'tls.key'];
const WRITTEN = ['agent.db', 'agent.db-wal', 'agent.db-shm', 'lock.db', 'status.json'];

export function readFiles(stateDir: string, provisionDir: string): FilesReading {
  const keyDir = join(stateDir, 'keys');
  return {
    stateDir: look(stateDir),
    keyDir: look(keyDir),
    keys: KEY_FILES.map((name) => look(join(keyDir, name))),
    written: WRITTEN.map((name) => look(join(stateDir, name))),
    provisionDir: look(provisionDir),
    clinic: look(join(provisionDir, 'clinic.yaml')),
  };
}

function look(path: string): FileLook {
  let stat: Stats | undefined;
  try {
    stat = lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOTDIR';
    return { path, kind: missing ? 'missing' : 'denied', mode: 0, uid: -1, gid: -1 };
  }
  if (stat === undefined) return { path, kind: 'missing', mode: 0, uid: -1, gid: -1 };
  const kind = stat.isDirectory() ? 'directory' : stat.isFile() ? 'file' : 'other';
  return { path, kind, mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
}
