// The keys that the server signs with by itself. They can steer routine work and lose evidence; they cannot do disruptive
// work, change policy or content, or replace the trust root.
import { join } from 'node:path';
import { generateEd25519, signerFromPrivateKey } from '../../agent/wire/node-signature.ts';
import type { Signer } from '../../agent/wire/dsse.ts';
import { readKeyFile, writeKeyFile } from './key-files.ts';

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

/** @throws key_unreadable, key_permissions, key_malformed, key_invalid */
export function loadOnlineKeys(dataDir: string): OnlineKeys {
  return forEachRole((role) => signerFromPrivateKey(readKeyFile(join(onlineKeysDir(dataDir), `${role}.pem`))));
}

function forEachRole(make: (role: OnlineRole) => Signer): OnlineKeys {
  return {
    registrar: make('registrar'),
    order: make('order'),
    timestamp: make('timestamp'),
    receipt: make('receipt'),
    witness: make('witness'),
  };
}
