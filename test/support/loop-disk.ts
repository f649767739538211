// A file system in a file, whose power can be cut: everything that was not flushed to the disk is gone then.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TOOLS = ['cp', 'mount', 'umount', 'xfs_io'];

export type FileSystem = 'ext4' | 'xfs';
/** Smallest image that the newest mkfs of each takes, with room for a test. */
const SMALLEST_MIB: Readonly<Record<FileSystem, number>> = { ext4: 16, xfs: 320 };

const run = (...[command, ...args]: [string, ...string[]]): void =>
  void execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });

/** Why no such file system can be mounted here, or null. */
export function whyNoLoopDisk(fileSystem: FileSystem = 'ext4'): string | null {
  if (process.getuid?.() !== 0) return 'needs root to mount a file system';
  const missing = [`mkfs.${fileSystem}`, ...TOOLS].filter(
    (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0,
  );
  if (missing.length > 0) return `needs ${missing.join(', ')}`;
  try {
    createLoopDisk(SMALLEST_MIB[fileSystem], undefined, fileSystem).destroy();
    return null;
  } catch (error) {
    return `no ${fileSystem} on a loop device can be mounted here: ${error instanceof Error ? error.message.split('\n')[0] : 'unknown'}`;
  }
}

export interface LoopDisk {
  /** Where the file system is mounted. */
  readonly path: string;
  /** Drops everything that no fsync has flushed; each access fails until `remount`. */
  cutPower(): void;
  /** Mounts again, which replays the journal as a start after a power cut does. */
  remount(): void;
  setReadOnly(): void;
  /** Makes it read-only under the programs that write to it, as ext4 does itself after an error of the disk; until `remount`. */
  failUnderWriters(): void;
  destroy(): void;
}

/** @param inodes of an ext4: how many files it can hold; mkfs decides where none are given */
export function createLoopDisk(mebibytes: number, inodes?: number, fileSystem: FileSystem = 'ext4'): LoopDisk {
  const parent = mkdtempSync(join(tmpdir(), 'loop-disk-'));
  let image = join(parent, 'image');
  const path = join(parent, 'mounted');
  writeFileSync(image, '');
  truncateSync(image, mebibytes * 1024 * 1024);
  mkdirSync(path);
  if (fileSystem === 'xfs') run('mkfs.xfs', '-q', '-f', image);
  else run('mkfs.ext4', '-q', '-F', ...(inodes === undefined ? [] : ['-N', String(inodes)]), image);
  // A copy has the UUID of the disk that it was copied from, which may still be mounted elsewhere: XFS takes no second one (mount(8)).
  const options = fileSystem === 'xfs' ? 'loop,nouuid' : 'loop';
  const mount = (): void => run('mount', '-o', options, image, path);
  mount();
  return {
    path,
    cutPower: () => run('xfs_io', '-x', '-c', 'shutdown', path),
    // What lay on the disk at that moment, as another disk: a process that made its own mount namespace meanwhile (of another test)
    // holds a copy of the mount, and with it the file system that was shut down, which would come back.
    remount: () => {
      run('umount', path);
      const copy = join(parent, `image-${randomBytes(4).toString('hex')}`);
      run('cp', '--sparse=always', image, copy);
      rmSync(image);
      image = copy;
      mount();
    },
    setReadOnly: () => run('mount', '-o', 'remount,ro', path),
    failUnderWriters: () => run('mount', '-o', 'remount,abort', path),
    destroy: () => {
      // Lazily: a program that still has the file system open must not keep the test from cleaning up.
      spawnSync('umount', ['-l', path]);
      rmSync(parent, { recursive: true, force: true });
    },
  };
}
