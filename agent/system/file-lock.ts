// A lock that the kernel gives back when the process dies: flock(2), which Node does not offer, through koffi.
import { closeSync, constants, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileError, PRIVATE_MODE } from './files.ts';

/** Linux values of flock(2). */
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Null where another process holds it. The returned function gives it back. @throws file_… where the file cannot be made */
export function tryFileLock(path: string): (() => void) | null {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const flock = koffi.load(null).func('int flock(int fd, int operation)');
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, PRIVATE_MODE);
  } catch (error) {
    throw fileError(error, 'write', path);
  }
  if (Number(flock(fd, LOCK_EX | LOCK_NB)) === 0) return () => closeSync(fd);
  closeSync(fd);
  return null;
}
