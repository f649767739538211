// The keys that the server signs with by itself. They can steer routine work and lose evidence; they cannot do disruptive
// work, change policy or content, or replace the trust root.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { generateEd25519, signerFromPrivateKey } from '../../agent/wire/node-signature.ts';
import type { Signer } from '../../agent/wire/dsse.ts';
import type { Root } from '../../agent/wire/schemas/root.ts';
import { readKeyFile, writeKeyFile } from './key-files.ts';
import { SEALED } from './unsealed-keys.ts';

export const ONLINE_ROLES = ['registrar', 'order', 'timestamp', 'receipt', 'witness'] as const;
export type OnlineRole = (typeof ONLINE_ROLES)[number];
export type OnlineKeys = Readonly<Record<OnlineRole, Signer>>;

export const onlineKeysDir = (dataDir: string): string => join(dataDir, 'keys');

/** Makes the five keys in `dataDir`/keys, which must exist. @throws central_exists */
export function createOnlineKeys(dataDir: string): OnlineKeys {
  return forEachRole((role) => {
    const { privateKey, signer } = generateEd25519();
    writeKeyFile(join(onlineKeysDir(dataDir), `${role}.pem`), privateKey);
    return signer;
  });
}

/** A further key of a role, beside the one in use: it is used once a root names it. */
export function makeOnlineKey(dataDir: string, role: OnlineRole): Signer {
  const { privateKey, signer } = generateEd25519();
  writeKeyFile(join(onlineKeysDir(dataDir), `${role}-${signer.keyid.slice(0, KEYID_IN_NAME)}.pem`), privateKey);
  return signer;
}

/**
 * The key of each role that `root` names; the newest root says which of several files counts.
 *
 * @throws online_key_missing, key_unreadable, key_permissions, key_malformed, key_invalid
 */
export function loadOnlineKeys(dataDir: string, root: Root): OnlineKeys {
  const dir = onlineKeysDir(dataDir);
  const names = keyNames(dir);
  return forEachRole((role) => {
    const first = names.filter((name) => name === `${role}.pem`);
    for (const name of [...first, ...names.filter((name) => name.startsWith(`${role}-`))]) {
      const signer = signerFromPrivateKey(readKeyFile(join(dir, name)));
      const key = root.keys.find(({ keyid }) => keyid === signer.keyid);
      // A key for some sites is no key for all.
      if (root.roles[role].keyids.includes(signer.keyid) && key?.sites === undefined) return signer;
    }
    throw new AgentError('online_key_missing', `no ${role} key that root ${root.version} names is here`, {
      place: dir,
    });
  });
}

/** Sealed or not, each once, sorted. */
const keyNames = (dir: string): string[] =>
  [...new Set(readdirSync(dir).map((name) => (name.endsWith(SEALED) ? name.slice(0, -SEALED.length) : name)))]
    .filter((name) => name.endsWith('.pem'))
    .sort();

const KEYID_IN_NAME = 12;

function forEachRole(make: (role: OnlineRole) => Signer): OnlineKeys {
  return {
    registrar: make('registrar'),
    order: make('order'),
    timestamp: make('timestamp'),
    receipt: make('receipt'),
    witness: make('witness'),
  };
}
