// Private keys as files: PKCS#8 PEM, mode 0600, never overwritten.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';

/** A PEM file of one key is far smaller; more is not a key. */
const MAX_KEY_FILE_BYTES = 16_384;

/** Makes a folder that only its owner can enter. An existing one must be that already. @throws key_permissions */
export function makePrivateDir(dir: string): void {
  if (mkdirSync(dir, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(dir, 0o700);
  refuseOpenToOthers(dir);
}

/** Writes a new private key file and syncs it. @throws central_exists when a file of that name is there */
export function writeKeyFile(path: string, key: KeyObject): void {
  writeNewFile(path, key.export({ type: 'pkcs8', format: 'pem' }), 0o600);
}

/** Writes a file that must not exist yet, synced with its folder. @throws central_exists */
export function writeNewFile(path: string, content: string | Buffer, mode: number): void {
  let fd: number;
  try {
    fd = openSync(path, 'wx', mode);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new AgentError('central_exists', 'the file is there already', { place: path, cause });
    }
    throw cause;
  }
  try {
    writeSync(fd, Buffer.from(content));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  const dir = openSync(dirname(path), 'r');
  try {
    fsyncSync(dir);
  } finally {
    closeSync(dir);
  }
}

/** Keys that were sealed and are open in this process, by the path that their plain file would have. */
const unsealed = new Map<string, Buffer>();

export const keepUnsealed = (path: string, bytes: Buffer): void => void unsealed.set(resolve(path), bytes);
export const isUnsealed = (path: string): boolean => unsealed.has(resolve(path));

/** Reads a private key. @throws key_unreadable, key_permissions, key_malformed */
export function readKeyFile(path: string): KeyObject {
  return parseKey(readPrivateFile(path), path);
}

/** The bytes of a key file, or what was unsealed instead of it. @throws key_unreadable, key_permissions, key_malformed (too large) */
export function readPrivateFile(path: string): Buffer {
  const open = unsealed.get(resolve(path));
  if (open !== undefined) return Buffer.from(open);
  try {
    refuseOpenToOthers(path);
    if (lstatSync(path).size > MAX_KEY_FILE_BYTES)
      throw new AgentError('key_malformed', 'the file is too large', { place: path });
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw new AgentError('key_unreadable', 'the key file cannot be read', { place: path, cause });
  }
}

/** @throws key_malformed */
export function parseKey(pem: string | Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new AgentError('key_malformed', 'the file holds no private key', { place: path, cause });
  }
}

/**
 * Keys of people must not lie where the server can read them, nor the server's data among people's keys.
 *
 * @throws keys_inside_data
 */
export function refuseNested(dataDir: string, keysDir: string): void {
  const [data, keys] = [physical(dataDir), physical(keysDir)];
  if (contains(data, keys) || contains(keys, data)) {
    throw new AgentError('keys_inside_data', 'the --keys folder and the --data folder lie in one another', {
      place: keysDir,
    });
  }
}

function refuseOpenToOthers(path: string): void {
  const { mode, uid } = lstatSync(path);
  const me = process.getuid?.();
  if ((mode & 0o077) !== 0) throw new AgentError('key_permissions', 'others may read or enter it', { place: path });
  if (me !== undefined && uid !== me) throw new AgentError('key_permissions', 'another user owns it', { place: path });
}

/** The path with the links of its existing part resolved. */
function physical(path: string): string {
  const full = resolve(path);
  try {
    return realpathSync(full);
  } catch {
    const parent = dirname(full);
    return parent === full ? full : join(physical(parent), basename(full));
  }
}

function contains(outer: string, inner: string): boolean {
  const way = relative(outer, inner);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`));
}
