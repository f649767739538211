// The keys of people: root, content and operator. They lie in the folder of whoever runs the command line, never in the
// server's; the server process is never told where.
import { readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { generateEd25519, signerFromPrivateKey } from '../../agent/wire/node-signature.ts';
import type { Signer } from '../../agent/wire/dsse.ts';
import type { Root } from '../../agent/wire/schemas/root.ts';
import { parseKey, readKeyFile, readPrivateFile, writeKeyFile, writeNewFile } from './key-files.ts';
import { passphrase } from './passphrase.ts';
import { openSealedKey, sealKey } from './sealed-key.ts';

export const PERSON_ROLES = ['root', 'content', 'operator'] as const;
export type PersonRole = (typeof PERSON_ROLES)[number];

export interface PersonSigner {
  readonly person: string;
  readonly signer: Signer;
}

export const defaultKeysDir = (): string => join(homedir(), '.config', 'central-command');

/** Makes the key of one person for one role. @throws central_exists */
export function createPersonKey(keysDir: string, role: PersonRole, person: string): PersonSigner {
  const { privateKey, signer } = generateEd25519();
  writeKeyFile(join(keysDir, `${role}-${person}.pem`), privateKey);
  return { person, signer };
}

/** A key file of one person: plain PEM, or sealed with a passphrase. */
export interface PersonKeyFile {
  readonly role: PersonRole;
  readonly person: string;
  readonly path: string;
  readonly sealed: boolean;
}

const SEALED = '.pem.age';
const PLAIN = '.pem';

/** By name. @throws key_unreadable */
export function personKeyFiles(keysDir: string): PersonKeyFile[] {
  return namesIn(keysDir).flatMap((name) => {
    const ending = [SEALED, PLAIN].find((end) => name.endsWith(end));
    const role = PERSON_ROLES.find((one) => name.startsWith(`${one}-`));
    if (ending === undefined || role === undefined) return [];
    const person = name.slice(role.length + 1, -ending.length);
    return [{ role, person, path: join(keysDir, name), sealed: ending === SEALED }];
  });
}

/** @throws key_unreadable, key_permissions, key_malformed, passphrase_needed, passphrase_wrong */
export async function readPersonKey(file: PersonKeyFile): Promise<PersonSigner> {
  const { path, person, sealed } = file;
  const key = sealed
    ? parseKey(await openSealedKey(readPrivateFile(path).toString('utf8'), await passphrase(), path), path)
    : readKeyFile(path);
  return { person, signer: signerFromPrivateKey(key) };
}

/**
 * Replaces the plain key files of a folder by sealed ones. A plain file goes only once its sealed one is on the disk and opens.
 *
 * @returns the paths of the new files
 * @throws passphrase_weak, passphrase_needed, central_exists, and what readPersonKey throws
 */
export async function sealPersonKeys(keysDir: string): Promise<string[]> {
  const made: string[] = [];
  for (const file of personKeyFiles(keysDir)) {
    if (file.sealed) continue;
    const { signer } = await readPersonKey(file);
    const path = `${file.path}.age`;
    const pem = readPrivateFile(file.path).toString('utf8');
    writeNewFile(path, await sealKey(pem, await passphrase('New passphrase of the keys: ')), 0o600);
    const again = await readPersonKey({ ...file, path, sealed: true });
    if (again.signer.keyid !== signer.keyid) throw new AgentError('internal', 'a sealed key opened as another one');
    rmSync(file.path);
    made.push(path);
  }
  return made;
}

/**
 * The keys in `keysDir` that `root` names for `role`, at most one per person.
 *
 * @throws signer_not_in_root when there is none, and what readPersonKey throws
 */
export async function personSigners(keysDir: string, role: PersonRole, root: Root): Promise<PersonSigner[]> {
  const allowed = new Set(root.roles[role].keyids);
  const found = new Map<string, PersonSigner>();
  for (const file of personKeyFiles(keysDir)) {
    if (file.role !== role) continue;
    const { signer } = await readPersonKey(file);
    const key = root.keys.find((k) => k.keyid === signer.keyid);
    if (key !== undefined && allowed.has(key.keyid) && !found.has(key.person)) {
      found.set(key.person, { person: key.person, signer });
    }
  }
  if (found.size === 0) {
    throw new AgentError('signer_not_in_root', `no ${role} key of this trust root is in the folder`, {
      place: keysDir,
    });
  }
  return [...found.values()];
}

/**
 * The one key that a person signs with, whatever the trust root says of it: for signing without a server.
 *
 * @param person whose; may be left out where the folder holds the key of one person only
 * @throws signer_unclear, and what readPersonKey throws
 */
export async function oneSigner(keysDir: string, role: PersonRole, person?: string): Promise<PersonSigner> {
  const files = personKeyFiles(keysDir).filter((file) => file.role === role);
  const [file, ...others] = person === undefined ? files : files.filter((one) => one.person === person);
  if (file === undefined || others.length > 0) {
    const whose = files.length === 0 ? 'none' : `those of ${files.map((one) => one.person).join(', ')}`;
    throw new AgentError('signer_unclear', `one ${role} key is needed; the folder holds ${whose}`, { place: keysDir });
  }
  return await readPersonKey(file);
}

function namesIn(keysDir: string): string[] {
  try {
    return readdirSync(keysDir).sort();
  } catch (cause) {
    throw new AgentError('key_unreadable', 'the --keys folder cannot be read', { place: keysDir, cause });
  }
}
