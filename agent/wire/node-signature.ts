// Ed25519 by node:crypto (OpenSSL): the fast one, for evidence and check-ins. What is acted upon goes through
// trust/verify-signature.ts, which asks two implementations.
import { createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { AgentError } from '../errors/agent-error.ts';
import type { Signer } from './dsse.ts';
import { ed25519RawFromSpki, keyidOf } from './keys.ts';

const SIGNATURE_BYTES = 64;
/** Parsed keys kept (importing one costs as much as a verification); the oldest goes first. */
const KEY_CACHE_SIZE = 64;
const keyCache = new Map<string, KeyObject>();

/**
 * True where `sig` is an Ed25519 signature of `data` by the key, as OpenSSL judges it (RFC 8032, without cofactor).
 * False for a wrong signature.
 *
 * @throws base64_invalid | key_invalid where `spki` is no Ed25519 SPKI
 */
export function verifyWithNode(spki: string, data: Uint8Array, sig: Uint8Array): boolean {
  return sig.length === SIGNATURE_BYTES && verify(null, data, publicKey(spki), sig);
}

/**
 * A signer for an Ed25519 private key.
 *
 * @throws key_invalid for any other kind of key
 */
export function signerFromPrivateKey(key: KeyObject): Signer {
  if (key.type !== 'private' || key.asymmetricKeyType !== 'ed25519') {
    throw new AgentError('key_invalid', 'this is not an Ed25519 private key');
  }
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
  return { keyid: keyidOf(spki), spki, sign: (data) => sign(null, data, key) };
}

/** A new key pair from the operating system's random generator. */
export function generateEd25519(): { privateKey: KeyObject; signer: Signer } {
  const { privateKey } = generateKeyPairSync('ed25519');
  return { privateKey, signer: signerFromPrivateKey(privateKey) };
}

function publicKey(spki: string): KeyObject {
  const known = keyCache.get(spki);
  if (known !== undefined) return known;
  ed25519RawFromSpki(spki);
  const key = createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' });
  if (keyCache.size === KEY_CACHE_SIZE) keyCache.delete(keyCache.keys().next().value!);
  keyCache.set(spki, key);
  return key;
}
