// Small files: written whole or not at all, read with a limit, and secrets refused when others can read them.
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';

/** Owner reads and writes, nobody else anything. */
export const PRIVATE_MODE = 0o600;

const READ_CHUNK_BYTES = 64 * 1024;

const CODE_OF_ERRNO: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'file_missing',
  ENOTDIR: 'file_missing',
  EACCES: 'file_denied',
  EPERM: 'file_denied',
  EROFS: 'file_read_only',
  ENOSPC: 'disk_full',
  EDQUOT: 'disk_full',
};

/** Translates what the file system said; an AgentError passes through. */
export function fileError(error: unknown, doing: 'read' | 'write', path: string): AgentError {
  if (error instanceof AgentError) return error;
  const errno = (error as NodeJS.ErrnoException).code ?? 'unknown';
  return new AgentError(CODE_OF_ERRNO[errno] ?? 'file_failed', `cannot ${doing} the file (${errno})`, {
    place: path,
    details: { errno },
    cause: error,
  });
}

function writeAll(fd: number, data: Buffer): void {
  for (let done = 0; done < data.length;) done += writeSync(fd, data, done);
}

/** Makes a rename or a new name in `dir` survive a power cut. */
export function syncDirectory(dir: string): void {
  const fd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Ends a file that holds a secret: zeros over its bytes, on the disk, and then the file. Never through a link. What a disk keeps of
 * overwritten blocks is beyond a file's reach.
 *
 * @throws as node:fs throws
 */
export function overwriteAndRemove(path: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    writeSync(fd, Buffer.alloc(fstatSync(fd).size), 0, undefined, 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  unlinkSync(path);
  syncDirectory(dirname(path));
}

/**
 * Readers see the old content or the new, also after a power cut. Codes: file_missing (no such directory), file_denied,
 * file_read_only, disk_full, file_failed; the old content is then untouched.
 * @param options.mode permission bits of the result, whatever the umask says; 0600 by default
 * @param options.sync false leaves out the two fsyncs, for files that a restart rewrites anyway
 */
export function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: { readonly mode?: number; readonly sync?: boolean } = {},
): void {
  const dir = dirname(path);
  const temporary = join(dir, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  let fd: number | undefined;
  let created = false;
  try {
    fd = openSync(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      PRIVATE_MODE,
    );
    created = true;
    writeAll(fd, Buffer.from(data));
    fchmodSync(fd, options.mode ?? PRIVATE_MODE);
    if (options.sync !== false) fsyncSync(fd);
    closeSync(fd);
    fd = undefined;
    renameSync(temporary, path);
    created = false;
    if (options.sync !== false) syncDirectory(dir);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (created) unlinkSync(temporary);
    throw fileError(error, 'write', path);
  }
}

function readAtMost(fd: number, maxBytes: number): Buffer | null {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const chunk = Buffer.alloc(Math.min(READ_CHUNK_BYTES, maxBytes - size + 1));
    const read = readSync(fd, chunk);
    if (read === 0) return Buffer.concat(chunks);
    size += read;
    if (size > maxBytes) return null;
    chunks.push(chunk.subarray(0, read));
  }
}

function openRegular(path: string): number {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new AgentError('file_failed', 'not a regular file', { place: path });
}

/** The whole file, or file_too_large. Also for /proc, whose files have no size. Codes as for writing. */
export function readFileLimited(path: string, maxBytes: number): Buffer {
  return readOpened(path, maxBytes, () => undefined);
}

/** `inspect` looks at the opened file itself and throws where it must not be read: nobody can exchange it in between. */
function readOpened(path: string, maxBytes: number, inspect: (fd: number) => void): Buffer {
  try {
    const fd = openRegular(path);
    try {
      inspect(fd);
      const data = readAtMost(fd, maxBytes);
      if (data === null)
        throw new AgentError('file_too_large', `the file is larger than ${maxBytes} bytes`, { place: path });
      return data;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw fileError(error, 'read', path);
  }
}

/** What is wrong with a secret's file, or null. systemd hands credentials out as 0400/0440 root files below its own directory. */
export function secretFileProblem(
  file: { readonly mode: number; readonly uid: number },
  place: { readonly ownUid: number; readonly isSystemdCredential: boolean },
): string | null {
  const mode = file.mode & 0o777;
  if (place.isSystemdCredential && file.uid === 0 && (mode & 0o337) === 0) return null;
  if ((mode & 0o077) !== 0)
    return `its mode is ${mode.toString(8).padStart(4, '0')}; others than its owner can read or change it`;
  if (file.uid !== place.ownUid && file.uid !== 0) return `it belongs to user id ${file.uid}`;
  return null;
}

/**
 * Refuses what others than `ownerUid` could have written: file_permissions. As for secrets, the check is on the opened
 * file. Whoever may write into its folder can still put another file of that owner in its place.
 */
export function readUnforgeableFile(path: string, maxBytes: number, ownerUid: number): Buffer {
  return readOpened(path, maxBytes, (fd) => {
    const { uid, mode } = fstatSync(fd);
    if (uid === ownerUid && (mode & 0o022) === 0) return;
    const state = `it belongs to user id ${uid} and its mode is ${(mode & 0o777).toString(8).padStart(4, '0')}`;
    throw new AgentError('file_permissions', `others could have written this file: ${state}`, { place: path });
  });
}

function isBelow(path: string, dir: string | undefined): boolean {
  return dir !== undefined && dir !== '' && dirname(path) === dir;
}

/**
 * Refuses a secret that others than its owner can read, or that belongs to somebody else: file_permissions. The check
 * is on the opened file, and what is returned was read from that same file.
 */
export function readSecretFile(path: string, maxBytes: number, environment: NodeJS.ProcessEnv = process.env): Buffer {
  return readOpened(path, maxBytes, (fd) => {
    const problem = secretFileProblem(fstatSync(fd), {
      ownUid: process.getuid?.() ?? 0,
      isSystemdCredential: isBelow(path, environment.CREDENTIALS_DIRECTORY),
    });
    if (problem === null) return;
    throw new AgentError('file_permissions', `a secret's file is not safe: ${problem}`, { place: path });
  });
}
