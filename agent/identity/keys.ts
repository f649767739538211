// Room `identity`: who this appliance is. Its keys are made here and never leave; enrolment turns them into a binding and a
// certificate. Keys exist before anything is sent to anyone.
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import {
  fileError,
  overwriteAndRemove,
  PRIVATE_MODE,
  readFileLimited,
  readSecretFile,
  writeFileAtomic,
} from '../system/files.ts';
import { KEY_CREDENTIAL, sealedWith, type SealedWith } from '../system/key-credential.ts';
import type { Signer } from '../wire/dsse.ts';
import { signerFromPrivateKey } from '../wire/node-signature.ts';

/** PEM of either key: 119 and 241 bytes; more is some other file. */
const MAX_KEY_FILE_BYTES = 4_096;
/** Of the first epoch; later ones have a file each, for the key before signs the next one. */
export const DEVICE_KEY_FILE = 'device.key';
export const TLS_KEY_FILE = 'tls.key';

export interface DeviceKeys {
  /** Ed25519: signs claims, check-ins and evidence. */
  readonly signer: Signer;
  /** P-256, PKCS#8 PEM: authenticates the TLS client. */
  readonly tlsKeyPem: string;
  /** DER SPKI of the TLS key in base64. */
  readonly tlsSpki: string;
  /** Where the device key comes from: a file that only the agent reads, or a credential of systemd and what seals it. */
  readonly atRest: KeyAtRest;
}

export type KeyAtRest = 'file' | SealedWith;

interface FoundKey {
  readonly key: KeyObject;
  readonly atRest: KeyAtRest;
}

/** The device key's file in an epoch. */
export const deviceKeyFile = (epoch: number): string => (epoch === 1 ? DEVICE_KEY_FILE : `device-${epoch}.key`);

/**
 * Reads `device.key` (in a later epoch `device-<epoch>.key`) and `tls.key` in `dir`, making those that are not there (0600, fsynced, in place whole or not at all).
 * A file that exists is never replaced, whatever is wrong with it: a new key would be one that Central Command never learned.
 * The first device key may lie in a credential of systemd instead.
 *
 * @throws key_unreadable | key_permissions | key_malformed; file_… where a new key cannot be written
 */
export function loadOrCreateKeys(dir: string, epoch = 1): DeviceKeys {
  createMissingDirectory(dir);
  const path = join(dir, deviceKeyFile(epoch));
  const sealed = existsSync(path) ? null : sealedKey(dir, epoch);
  return keysOf(sealed ?? { key: loadOrCreate(path, 'ed25519'), atRest: 'file' }, dir);
}

/**
 * The keys of an appliance that is enrolled: a device key is never made here. Null where it is gone or no key any more.
 *
 * @throws as loadOrCreateKeys
 */
export function loadKeys(dir: string, epoch: number): DeviceKeys | null {
  const found = findDeviceKey(dir, epoch);
  return found === null ? null : keysOf(found, dir);
}

/**
 * The device key of an epoch that has begun: none is made. Null for one that is gone or is no key any more.
 *
 * @throws key_unreadable | key_permissions
 */
export function loadDeviceSigner(dir: string, epoch: number): Signer | null {
  const found = findDeviceKey(dir, epoch);
  return found === null ? null : signerFromPrivateKey(found.key);
}

/**
 * Files of keys that are there, or should be: the device key of this epoch unless it is sealed, and the TLS key.
 */
export function keyFilesOf(dir: string, epoch: number, atRest: KeyAtRest): string[] {
  const tls = join(dir, TLS_KEY_FILE);
  return atRest === 'file' ? [plainKeyPath(dir, epoch), tls] : [tls];
}

/** A machine that was enrolled anew in a later epoch has only its first key. */
const plainKeyPath = (dir: string, epoch: number): string =>
  join(dir, existsSync(join(dir, deviceKeyFile(epoch))) ? deviceKeyFile(epoch) : DEVICE_KEY_FILE);

/** The file of this epoch, else the sealed key, else the first file: whoever asks compares it with the key that is bound. */
function findDeviceKey(dir: string, epoch: number): FoundKey | null {
  try {
    const own = loadKey(join(dir, deviceKeyFile(epoch)), 'ed25519');
    if (own !== null) return { key: own, atRest: 'file' };
    const sealed = sealedKey(dir, epoch);
    if (sealed !== null) return sealed;
    const first = loadKey(join(dir, DEVICE_KEY_FILE), 'ed25519');
    return first === null ? null : { key: first, atRest: 'file' };
  } catch (error) {
    if (isAgentError(error) && error.code === 'key_malformed') return null;
    throw error;
  }
}

/** Stands where the key's file stood once it is sealed: its keyid. A credential that no such mark names is not ours to use. */
const markPath = (dir: string, epoch: number): string => join(dir, `${deviceKeyFile(epoch)}.sealed`);

/**
 * The sealed key of an epoch; null where its key was never sealed.
 *
 * @throws key_unreadable where it was, and this process was not handed it: a new key would only hide that
 */
function sealedKey(dir: string, epoch: number): FoundKey | null {
  const mark = markPath(dir, epoch);
  if (!existsSync(mark)) return null;
  const keyid = readFileLimited(mark, MAX_KEY_FILE_BYTES).toString('utf8').trim();
  const found = credentialKey();
  if (found !== null && keyidOfKey(found.key) === keyid) return found;
  throw new AgentError('key_unreadable', 'the device key is sealed, and systemd did not hand it to this process', {
    place: mark,
    remedy: `start the agent by its unit; where the sealed key is lost for good, remove ${mark}: the next epoch then begins`,
  });
}

/** What systemd unsealed for this process; null where it was handed nothing. @throws key_… */
function credentialKey(environment: NodeJS.ProcessEnv = process.env): FoundKey | null {
  const dir = environment['CREDENTIALS_DIRECTORY'];
  const path = dir === undefined || dir === '' ? null : join(dir, KEY_CREDENTIAL);
  const text = path === null ? null : readKeyFile(path);
  if (path === null || text === null) return null;
  try {
    const atRest = sealedWith(text.toString('utf8'));
    if (atRest === null) throw new AgentError('key_malformed', 'the credential is not one of ours', { place: path });
    return { key: parseKey(text, 'ed25519', path), atRest };
  } finally {
    text.fill(0);
  }
}

const keyidOfKey = (key: KeyObject): string => signerFromPrivateKey(key).keyid;

/**
 * Once the credential that this process was handed holds the key of this epoch, its plain file goes. Cut off at any step, the
 * file is still there, or the credential counts.
 *
 * @returns whether a file went
 * @throws key_…, file_…
 */
export function dropSealedFile(dir: string, epoch: number): boolean {
  const path = plainKeyPath(dir, epoch);
  if (!existsSync(path)) return false;
  // Either that is no key is for those to say who use it.
  const sealed = unlessMalformed(() => credentialKey()?.key ?? null);
  const plain = sealed === null ? null : unlessMalformed(() => loadKey(path, 'ed25519'));
  if (sealed === null || plain === null || keyidOfKey(sealed) !== keyidOfKey(plain)) return false;
  writeFileAtomic(markPath(dir, epoch), `${keyidOfKey(plain)}\n`);
  overwriteAndRemove(path);
  return true;
}

function unlessMalformed(load: () => KeyObject | null): KeyObject | null {
  try {
    return load();
  } catch (error) {
    if (isAgentError(error) && error.code === 'key_malformed') return null;
    throw error;
  }
}

/**
 * Ends the key of an epoch that is over.
 *
 * @returns whether it was there
 * @throws file_…
 */
export function removeDeviceKey(dir: string, epoch: number): boolean {
  const paths = [join(dir, deviceKeyFile(epoch)), markPath(dir, epoch)].filter((path) => existsSync(path));
  try {
    for (const path of paths) overwriteAndRemove(path);
  } catch (error) {
    throw fileError(error, 'write', dir);
  }
  return paths.length > 0;
}

function keysOf({ key, atRest }: FoundKey, dir: string): DeviceKeys {
  const tls = loadOrCreate(join(dir, TLS_KEY_FILE), 'p256');
  return {
    signer: signerFromPrivateKey(key),
    tlsKeyPem: pemOf(tls),
    tlsSpki: createPublicKey(tls).export({ type: 'spki', format: 'der' }).toString('base64'),
    atRest,
  };
}

type KeyKind = 'ed25519' | 'p256';
const KIND_WORDS: Record<KeyKind, string> = { ed25519: 'an Ed25519 key', p256: 'a P-256 key' };

function loadOrCreate(path: string, kind: KeyKind): KeyObject {
  const existing = loadKey(path, kind);
  if (existing !== null) return existing;
  placeNewKey(path, pemOf(generateKey(kind)));
  // Read back: what counts is the file, also where another process was first.
  const placed = loadKey(path, kind);
  if (placed === null) throw new AgentError('key_unreadable', 'the new key file is gone again', { place: path });
  return placed;
}

/** Null when there is no such file. */
function loadKey(path: string, kind: KeyKind): KeyObject | null {
  const pem = readKeyFile(path);
  if (pem === null) return null;
  try {
    return parseKey(pem, kind, path);
  } finally {
    pem.fill(0);
  }
}

function readKeyFile(path: string): Buffer | null {
  try {
    return readSecretFile(path, MAX_KEY_FILE_BYTES);
  } catch (error) {
    if (!isAgentError(error)) throw error;
    if (error.code === 'file_missing') return null;
    const code = error.code === 'file_permissions' ? 'key_permissions' : 'key_unreadable';
    throw new AgentError(code, `the private key cannot be used: ${error.message}`, { place: path, cause: error });
  }
}

function parseKey(pem: Buffer, kind: KeyKind, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: 'pem' });
  } catch {
    // The parser's own words are left out: they may quote the file.
    throw new AgentError('key_malformed', 'the file does not hold an unencrypted private key in PEM', { place: path });
  }
  const fits =
    kind === 'ed25519'
      ? key.asymmetricKeyType === 'ed25519'
      : key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (!fits) {
    const found = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? 'unknown';
    throw new AgentError('key_malformed', `the file holds a key of type ${found}, not ${KIND_WORDS[kind]}`, {
      place: path,
    });
  }
  return key;
}

function generateKey(kind: KeyKind): KeyObject {
  return kind === 'ed25519'
    ? generateKeyPairSync('ed25519').privateKey
    : generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** A hard link to a complete file: unlike a rename it cannot replace a key that came to be meanwhile. */
function placeNewKey(path: string, pem: string): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, PRIVATE_MODE);
    try {
      writeSync(fd, pem);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    try {
      linkSync(temporary, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    unlinkSync(temporary);
    syncDirectoryOf(path);
  } catch (error) {
    throw fileError(error, 'write', path);
  }
}

function syncDirectoryOf(path: string): void {
  const fd = openSync(join(path, '..'), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function createMissingDirectory(dir: string): void {
  try {
    if (statSync(dir, { throwIfNoEntry: false }) === undefined) mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(error, 'write', dir);
  }
}
