// Reads where the journal is kept, how much room it takes, and whether this process may read it.
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readFileLimited } from '../system/files.ts';
import { Unreadable } from './probe.ts';

const MAX_MACHINE_ID_BYTES = 64;
const ACTIVE_FILE = 'system.journal';
const JOURNAL_FILE = /\.journal~?$/;
const MIB = 1024 * 1024;
/** st_blocks counts these, whatever the file system's own block is. */
const BLOCK_BYTES = 512;

export interface JournalFiles {
  /** `volatile`: in memory, lost at a restart. `none`: nothing is kept. */
  readonly storage: 'persistent' | 'volatile' | 'none';
  /** Room on disk or in memory, active and archived files. */
  readonly usedMib: number;
}

interface Folder {
  readonly hasActive: boolean;
  readonly bytes: number;
}

/** One that is missing is empty; one that may not be listed is not. */
function readFolder(dir: string): Folder {
  let names: string[];
  try {
    names = readdirSync(dir).filter((name) => JOURNAL_FILE.test(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { hasActive: false, bytes: 0 };
    throw error;
  }
  // A file that is rotated away while we look takes no room any more.
  const blocks = names.map((name) => statSync(join(dir, name), { throwIfNoEntry: false })?.blocks ?? 0);
  return { hasActive: names.includes(ACTIVE_FILE), bytes: blocks.reduce((sum, b) => sum + b * BLOCK_BYTES, 0) };
}

/**
 * journalctl shows whoever may read nothing an empty journal, and whoever may read his own messages only those: so the
 * right to read the system's own file is asked for first. @throws Unreadable or what the file system says
 */
export function readJournalFiles(rootDir: string, runDir: string): JournalFiles {
  const id = readFileLimited(join(rootDir, 'etc/machine-id'), MAX_MACHINE_ID_BYTES).toString('latin1').trim();
  if (!/^[0-9a-f]{32}$/.test(id)) throw new Unreadable('unparsable', '/etc/machine-id is not what it documents');
  const inMemory = join(runDir, 'log/journal', id);
  const onDisk = join(rootDir, 'var/log/journal', id);
  const [volatile, persistent] = [readFolder(inMemory), readFolder(onDisk)];
  // journald removes the file in memory once it writes to disk; a file on disk beside it is an old one.
  const storage = volatile.hasActive ? 'volatile' : persistent.hasActive ? 'persistent' : 'none';
  if (storage !== 'none') {
    accessSync(join(storage === 'volatile' ? inMemory : onDisk, ACTIVE_FILE), constants.R_OK);
  }
  return { storage, usedMib: Math.ceil((volatile.bytes + persistent.bytes) / MIB) };
}
