// A file that only takes up room: given up when the disk is full, so that there is room to say so.
import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileError } from './files.ts';

export const BALLAST_FILE = 'ballast';
const CHUNK_BYTES = 1_048_576;

export interface Ballast {
  exists(): boolean;
  /** Makes it whole or not at all. @throws disk_full, file_read_only, file_denied, file_failed */
  make(bytes: number): void;
  /** Gives its room back. @throws file_denied, file_read_only, file_failed */
  free(): void;
}

export function ballastIn(dir: string): Ballast {
  const path = join(dir, BALLAST_FILE);
  const free = (): void => {
    try {
      rmSync(path, { force: true });
    } catch (error) {
      throw fileError(error, 'write', path);
    }
  };
  return {
    exists: () => existsSync(path),
    free,
    make(bytes) {
      try {
        const fd = openSync(path, 'wx', 0o600);
        try {
          // Not zeros: a file system that compresses or leaves out holes would keep no room for them.
          const chunk = randomFillSync(Buffer.alloc(Math.min(CHUNK_BYTES, bytes)));
          for (let left = bytes; left > 0;) left -= writeSync(fd, chunk, 0, Math.min(left, chunk.length));
          fsyncSync(fd);
        } finally {
          closeSync(fd);
        }
      } catch (error) {
        free();
        throw fileError(error, 'write', path);
      }
    },
  };
}
