// The server's keys, encrypted at rest: each `NAME.pem` in its key folder may be an age file `NAME.pem.age` instead, sealed for the
// identity in `server-identity.age`, which a passphrase seals. They are opened once, when a process starts, and kept in its memory;
// whoever reads a key file finds them there.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { isUnsealed, keepUnsealed, parseKey, readPrivateFile, writeNewFile } from './key-files.ts';
import { serverPassphrase } from './passphrase.ts';
import { newIdentity, openSealedKey, openWithIdentity, sealForIdentity, sealKey } from './sealed-key.ts';

export const SEALED = '.age';
const IDENTITY_FILE = 'server-identity.age';
const PRIVATE_KEY = 'PRIVATE KEY-----';
/** Not PEM, and a secret all the same (target-vault.ts). */
const TARGET_KEY = 'target-secrets.key';
const isKeyName = (name: string): boolean => name.endsWith('.pem') || name === TARGET_KEY;

const namesIn = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir).sort() : []);

/** Sealed keys of a folder that this process has not opened yet, as paths. */
const stillSealed = (dir: string): string[] =>
  namesIn(dir)
    .filter((name) => name.endsWith(SEALED) && isKeyName(name.slice(0, -SEALED.length)))
    .map((name) => join(dir, name))
    .filter((path) => !isUnsealed(path.slice(0, -SEALED.length)));

/** Private keys of a folder that lie there as plain files, as paths. A certificate is none. */
export const plainKeys = (dir: string): string[] =>
  namesIn(dir)
    .filter(isKeyName)
    .map((name) => join(dir, name))
    .filter((path) => basename(path) === TARGET_KEY || readPrivateText(path).includes(PRIVATE_KEY));

/** Certificates may be read by others; keys may not, and whoever uses one is told. */
function readPrivateText(path: string): string {
  try {
    return readPrivateFile(path).toString('utf8');
  } catch (error) {
    if (error instanceof AgentError && error.code === 'key_permissions')
      return path.includes('.key.') ? PRIVATE_KEY : '';
    throw error;
  }
}

/**
 * Opens what is sealed in a folder; asks for the passphrase only where something is.
 *
 * @returns how many were opened
 * @throws passphrase_needed, passphrase_wrong, key_malformed, key_unreadable, key_permissions
 */
export async function unsealKeys(dir: string): Promise<number> {
  const sealed = stillSealed(dir);
  for (const path of sealed) {
    const identity = await identityOf(dir);
    const pem = await openWithIdentity(readPrivateFile(path).toString('utf8'), identity, path);
    keepUnsealed(path.slice(0, -SEALED.length), Buffer.from(pem));
  }
  return sealed.length;
}

/** @throws online_keys_plain, naming the first */
export function refusePlainKeys(dir: string): void {
  const [first, ...others] = plainKeys(dir);
  if (first === undefined) return;
  throw new AgentError('online_keys_plain', `${others.length + 1} keys of the server lie in plain files`, {
    place: first,
  });
}

/**
 * Replaces the plain keys of a folder by sealed ones. A plain file goes only once its sealed one is on the disk and opens.
 *
 * @returns the paths of the new files
 * @throws passphrase_weak, passphrase_needed, central_exists, key_…
 */
export async function sealServerKeys(dir: string): Promise<string[]> {
  const made: string[] = [];
  for (const path of plainKeys(dir)) {
    const pem = readPrivateFile(path).toString('utf8');
    if (basename(path) !== TARGET_KEY) parseKey(pem, path);
    const identity = await identityOf(dir);
    const sealed = `${path}${SEALED}`;
    // Left by a run that was cut off before its plain file went.
    if (existsSync(sealed)) rmSync(sealed);
    writeNewFile(sealed, await sealForIdentity(pem, identity), 0o600);
    if ((await openWithIdentity(readPrivateFile(sealed).toString('utf8'), identity, sealed)) !== pem) {
      throw new AgentError('internal', 'a sealed key opened as another one');
    }
    rmSync(path);
    made.push(sealed);
  }
  return made;
}

/** Of the folders that this process opened. */
const identities = new Map<string, string>();

/** The identity of a folder, opened once in a process; made where there is none yet. */
async function identityOf(dir: string): Promise<string> {
  const known = identities.get(dir);
  if (known !== undefined) return known;
  const path = join(dir, IDENTITY_FILE);
  if (!existsSync(path)) {
    const made = await newIdentity();
    writeNewFile(path, await sealKey(made, await serverPassphrase("New passphrase of the server's keys: ")), 0o600);
  }
  const identity = await openSealedKey(readPrivateFile(path).toString('utf8'), await serverPassphrase(), path);
  identities.set(dir, identity);
  return identity;
}

/** Whether a folder holds sealed keys: then new ones are sealed too. */
export const hasSealedKeys = (dir: string): boolean => namesIn(dir).some((name) => name.endsWith(`.pem${SEALED}`));
