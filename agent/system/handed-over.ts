// Files that a process without privileges hands to one of root's. The folder belongs to the writer, who may be hostile: what
// is read is looked at once it is open, and nothing but a plain file of the folder's own owner is taken.
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { fileError } from './files.ts';

const ROOT = 0;
const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

export interface HandedOver {
  /** User id of the folder: only its files are taken. */
  readonly ownerUid: number;
  /**
   * The whole file; null where there is none.
   *
   * @throws helper_input_unsafe (a link, a device, a pipe, another owner, a second name), file_too_large, file_failed
   */
  read(name: string, maxBytes: number): Buffer | null;
  close(): void;
}

/**
 * The way to `path` as nobody but root can change it: no links in it, every folder root's, and none that others may write
 * into unless it is sticky (/tmp). The last part is not looked at.
 *
 * @throws helper_surroundings_unsafe
 */
export function assertRootsWay(path: string): void {
  const unsafe = (why: string, place: string): AgentError =>
    new AgentError('helper_surroundings_unsafe', `the way to a folder of the helpers is not root's: ${why}`, { place });
  let parent: string;
  try {
    parent = realpathSync(dirname(path));
  } catch (error) {
    throw fileError(error, 'read', dirname(path));
  }
  if (parent !== dirname(path)) throw unsafe('a link is in it', dirname(path));
  for (let dir = parent; ; dir = dirname(dir)) {
    const { uid, mode } = lstatSync(dir);
    if (uid !== ROOT) throw unsafe(`user id ${uid} owns a part of it`, dir);
    if ((mode & GROUP_OR_OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) throw unsafe('others may write into it', dir);
    if (dir === dirname(dir)) return;
  }
}

/** @throws helper_surroundings_unsafe, helper_input_missing */
export function openHandedOver(dir: string): HandedOver {
  let fd: number;
  try {
    assertRootsWay(dir);
    fd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const failure = fileError(error, 'read', dir);
    if (failure.code !== 'file_missing') throw failure;
    throw new AgentError('helper_input_missing', 'there is no folder of things handed over', {
      place: dir,
      cause: error,
    });
  }
  const { uid: ownerUid } = fstatSync(fd);
  return {
    ownerUid,
    read: (name, maxBytes) => readOne(fd, dir, name, { maxBytes, ownerUid }),
    close: () => closeSync(fd),
  };
}

function readOne(
  dirFd: number,
  dir: string,
  name: string,
  o: { readonly maxBytes: number; readonly ownerUid: number },
): Buffer | null {
  const place = `${dir}/${name}`;
  const fd = openPlain(dirFd, name, place);
  if (fd === null) return null;
  try {
    const stat = fstatSync(fd);
    const { size, uid, nlink } = stat;
    const unsafe = (why: string): AgentError =>
      new AgentError('helper_input_unsafe', `what was handed over is not taken: ${why}`, { place });
    if (!stat.isFile()) throw unsafe('it is no plain file');
    if (uid !== o.ownerUid) throw unsafe(`it belongs to user id ${uid}, the folder to ${o.ownerUid}`);
    // A second name may lie in a folder of somebody else's, who meant no helper to read it.
    if (nlink !== 1) throw unsafe(`it has ${nlink} names`);
    return readUpTo(fd, size, o.maxBytes, place);
  } finally {
    closeSync(fd);
  }
}

/** Below the folder that is open, whatever stands at its path now. O_NONBLOCK: a pipe must not hold us. */
function openPlain(dirFd: number, name: string, place: string): number | null {
  try {
    return openSync(
      `/proc/self/fd/${dirFd}/${name}`,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === 'ELOOP' || code === 'ENXIO') {
      throw new AgentError('helper_input_unsafe', 'what was handed over is a link or a socket', {
        place,
        cause: error,
      });
    }
    throw fileError(error, 'read', place);
  }
}

function readUpTo(fd: number, size: number, maxBytes: number, place: string): Buffer {
  if (size > maxBytes) {
    throw new AgentError('file_too_large', `what was handed over is larger than ${maxBytes} bytes`, { place });
  }
  // What is written to it from now on is not taken.
  const data = Buffer.alloc(size);
  let read = 0;
  while (read < size) {
    const now = readSync(fd, data, read, size - read, null);
    if (now === 0) break;
    read += now;
  }
  return data.subarray(0, read);
}
