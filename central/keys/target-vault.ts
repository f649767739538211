// Where secrets of targets lie: in the database, sealed with AES-256-GCM under a key that is a file of its own beside the online
// keys. Who has the database has no secret, and cannot point one at another machine (docs/decisions/0022).
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { isUnsealed, readPrivateFile, writeNewFile } from './key-files.ts';
import { onlineKeysDir } from './online-keys.ts';
import { SEALED } from './unsealed-keys.ts';

const KEY_FILE = 'target-secrets.key';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** A line of hex. */
const KEY_TEXT = /^[0-9a-f]{64}\n$/;

export interface TargetVault {
  /** Nonce ‖ ciphertext ‖ tag. `bound`: what the secret belongs to; it opens with exactly that. */
  seal(secret: Buffer, bound: readonly (string | number | null)[]): Buffer;
  /** The secret, which the caller zeros after use. @throws central_damaged, online_key_missing */
  open(sealed: Buffer, bound: readonly (string | number | null)[]): Buffer;
  /** Authenticates a row that says where a secret goes. */
  mac(bound: readonly (string | number | null)[]): Buffer;
  isMac(mac: Buffer, bound: readonly (string | number | null)[]): boolean;
}

/** Opened when first needed: an installation without targets has no key. */
export function openTargetVault(dataDir: string): TargetVault {
  const path = join(onlineKeysDir(dataDir), KEY_FILE);
  let keys: { readonly seal: Buffer; readonly mac: Buffer } | null = null;
  const derived = (mayMake: boolean) => (keys ??= derive(readOrMake(path, mayMake)));
  const mac: TargetVault['mac'] = (bound) =>
    createHmac('sha256', derived(true).mac).update(JSON.stringify(bound)).digest();
  return {
    seal(secret, bound) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', derived(true).seal, nonce).setAAD(
        Buffer.from(JSON.stringify(bound)),
      );
      return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, bound) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', derived(false).seal, sealed.subarray(0, NONCE_BYTES))
          .setAAD(Buffer.from(JSON.stringify(bound)))
          .setAuthTag(sealed.subarray(-TAG_BYTES));
        const secret = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
        decipher.final();
        return secret;
      } catch (error) {
        if (error instanceof AgentError) throw error;
        throw new AgentError(
          'central_damaged',
          'a stored secret does not open: it was changed, or sealed with another key',
        );
      }
    },
    mac,
    isMac: (given, bound) => given.length === 32 && timingSafeEqual(given, mac(bound)),
  };
}

function readOrMake(path: string, mayMake: boolean): Buffer {
  if (!existsSync(path) && !isUnsealed(path)) {
    // A second key beside the sealed one would open none of what is stored.
    if (!mayMake || existsSync(`${path}${SEALED}`))
      throw new AgentError('online_key_missing', 'the key of the stored secrets is not here', { place: path });
    writeNewFile(path, `${randomBytes(KEY_BYTES).toString('hex')}\n`, 0o600);
  }
  const text = readPrivateFile(path);
  if (!KEY_TEXT.test(text.toString('latin1'))) {
    throw new AgentError('key_malformed', 'the file holds no key of stored secrets', { place: path });
  }
  return Buffer.from(text.toString('latin1').trim(), 'hex');
}

function derive(key: Buffer): { seal: Buffer; mac: Buffer } {
  const part = (use: string) => Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), use, KEY_BYTES));
  return { seal: part('compliance-agent/target-secrets/v1'), mac: part('compliance-agent/target-rows/v1') };
}
