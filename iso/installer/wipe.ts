// Overwrites regions of a disk with zeros, unless something uses the disk.
import { closeSync, constants, fsyncSync, openSync, writeSync } from 'node:fs';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { Region } from './layout.ts';

const CHUNK_BYTES = 1_048_576;

/**
 * @throws installer_disk_in_use where a file system or a mapping holds the disk (O_EXCL on a block device asks the kernel);
 *   installer_step_failed
 */
export function wipe(path: string, regions: readonly Region[]): void {
  withDevice(path, (fd) => {
    const zeros = Buffer.alloc(CHUNK_BYTES);
    for (const { start, length } of regions) {
      for (let done = 0; done < length;) {
        done += writeSync(fd, zeros, 0, Math.min(CHUNK_BYTES, length - done), start + done);
      }
      // One after the other: what makes a finished install counts no more before anything else of it goes.
      fsyncSync(fd);
    }
  });
}

/** What was written to the device lies on it, and not in a cache of it. @throws as wipe */
export function flush(path: string): void {
  withDevice(path, (fd) => fsyncSync(fd));
}

function withDevice(path: string, use: (fd: number) => void): void {
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_EXCL);
    try {
      use(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    if (errno === 'EBUSY')
      throw new AgentError('installer_disk_in_use', 'something uses the disk', { place: path, cause });
    throw new AgentError('installer_step_failed', `the disk cannot be written (${errno})`, { place: path, cause });
  }
}
