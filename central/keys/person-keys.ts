// The keys of people: root, content and operator. They lie in the folder of whoever runs the command line, never in the
// server's; the server process is never told where.
import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { generateEd25519, signerFromPrivateKey } from '../../agent/wire/node-signature.ts';
import type { Signer } from '../../agent/wire/dsse.ts';
import type { Root } from '../../agent/wire/schemas/root.ts';
import { readKeyFile, writeKeyFile } from './key-files.ts';

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

/**
 * The keys in `keysDir` that `root` names for `role`, at most one per person.
 *
 * @throws signer_not_in_root when there is none; key_unreadable, key_permissions, key_malformed
 */
export function personSigners(keysDir: string, role: PersonRole, root: Root): PersonSigner[] {
  const allowed = new Set(root.roles[role].keyids);
  const found = new Map<string, PersonSigner>();
  for (const file of keyFiles(keysDir, role)) {
    const signer = signerFromPrivateKey(readKeyFile(join(keysDir, file)));
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
 * @throws signer_unclear, key_unreadable, key_permissions, key_malformed
 */
export function oneSigner(keysDir: string, role: PersonRole, person?: string): PersonSigner {
  const persons = keyFiles(keysDir, role).map((name) => name.slice(role.length + 1, -'.pem'.length));
  const found = person === undefined ? persons : persons.filter((name) => name === person);
  const [name, ...others] = found;
  if (name === undefined || others.length > 0) {
    const whose = persons.length === 0 ? 'none' : `those of ${persons.join(', ')}`;
    throw new AgentError('signer_unclear', `one ${role} key is needed; the folder holds ${whose}`, { place: keysDir });
  }
  return { person: name, signer: signerFromPrivateKey(readKeyFile(join(keysDir, `${role}-${name}.pem`))) };
}

function keyFiles(keysDir: string, role: PersonRole): string[] {
  try {
    return readdirSync(keysDir)
      .filter((name) => name.startsWith(`${role}-`) && name.endsWith('.pem'))
      .sort();
  } catch (cause) {
    throw new AgentError('key_unreadable', 'the --keys folder cannot be read', { place: keysDir, cause });
  }
}
