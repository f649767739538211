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
import { fileError, PRIVATE_MODE, readSecretFile } from '../system/files.ts';
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
}

/** The device key's file in an epoch. */
export const deviceKeyFile = (epoch: number): string => (epoch === 1 ? DEVICE_KEY_FILE : `device-${epoch}.key`);

/**
 * Reads `device.key` (in a later epoch `device-<epoch>.key`) and `tls.key` in `dir`, making those that are not there (0600, fsynced, in place whole or not at all).
 * A file that exists is never replaced, whatever is wrong with it: a new key would be one that Central Command never learned.
 *
 * @throws key_unreadable | key_permissions | key_malformed; file_… where a new key cannot be written
 */
export function loadOrCreateKeys(dir: string, epoch = 1): DeviceKeys {
  createMissingDirectory(dir);
  const device = loadOrCreate(join(dir, deviceKeyFile(epoch)), 'ed25519');
  const tls = loadOrCreate(join(dir, TLS_KEY_FILE), 'p256');
  return keysOf(signerFromPrivateKey(device), tls);
}

/**
 * The keys of an appliance that is enrolled: a device key is never made here. Null where it is gone or no key any more.
 *
 * @throws as loadOrCreateKeys
 */
export function loadKeys(dir: string, epoch: number): DeviceKeys | null {
  const signer = loadDeviceSigner(dir, epoch);
  return signer === null ? null : keysOf(signer, loadOrCreate(join(dir, TLS_KEY_FILE), 'p256'));
}

/** Where the device key of an epoch lies: a machine that was enrolled anew in a later one has only its first key. */
export const deviceKeyPath = (dir: string, epoch: number): string =>
  join(dir, existsSync(join(dir, deviceKeyFile(epoch))) ? deviceKeyFile(epoch) : DEVICE_KEY_FILE);

/**
 * The device key of an epoch that has begun: none is made. Null for one that is gone or is no key any more.
 *
 * @throws key_unreadable | key_permissions
 */
export function loadDeviceSigner(dir: string, epoch: number): Signer | null {
  try {
    const device = loadKey(deviceKeyPath(dir, epoch), 'ed25519');
    return device === null ? null : signerFromPrivateKey(device);
  } catch (error) {
    if (isAgentError(error) && error.code === 'key_malformed') return null;
    throw error;
  }
}

function keysOf(signer: Signer, tls: KeyObject): DeviceKeys {
  return {
    signer,
    tlsKeyPem: pemOf(tls),
    tlsSpki: createPublicKey(tls).export({ type: 'spki', format: 'der' }).toString('base64'),
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
  let pem: Buffer;
  try {
    pem = readSecretFile(path, MAX_KEY_FILE_BYTES);
  } catch (error) {
    if (!isAgentError(error)) throw error;
    if (error.code === 'file_missing') return null;
    const code = error.code === 'file_permissions' ? 'key_permissions' : 'key_unreadable';
    throw new AgentError(code, `the private key cannot be used: ${error.message}`, { place: path, cause: error });
  }
  try {
    return parseKey(pem, kind, path);
  } finally {
    pem.fill(0);
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
