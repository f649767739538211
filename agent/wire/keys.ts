// Public keys as the formats write them: base64 of the DER SubjectPublicKeyInfo, named by its SHA-256.
import { AgentError } from '../errors/agent-error.ts';
import { decodeBase64 } from './base64.ts';
import { sha256Hex } from './digest.ts';

/** DER in front of the 32 key bytes: SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING } (RFC 8410 section 4). */
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const ED25519_KEY_BYTES = 32;

/**
 * The keyid of a public key: hex SHA-256 of its DER SPKI. Works for every key type; does not look into the DER.
 *
 * @throws base64_invalid
 */
export function keyidOf(spkiBase64: string): string {
  return sha256Hex(decodeBase64(spkiBase64));
}

/**
 * The 32 raw bytes of an Ed25519 key. Says nothing about the point (see trust/verify-signature.ts).
 *
 * @throws base64_invalid | key_invalid
 */
export function ed25519RawFromSpki(spkiBase64: string): Buffer {
  const der = decodeBase64(spkiBase64);
  const prefix = ED25519_SPKI_PREFIX.length;
  if (der.length !== prefix + ED25519_KEY_BYTES || !der.subarray(0, prefix).equals(ED25519_SPKI_PREFIX)) {
    throw new AgentError('key_invalid', 'this is not the SPKI of an Ed25519 key');
  }
  return der.subarray(prefix);
}

/**
 * The base64 SPKI of a raw Ed25519 key.
 *
 * @throws key_invalid when `raw` is not 32 bytes long
 */
export function ed25519SpkiFromRaw(raw: Uint8Array): string {
  if (raw.length !== ED25519_KEY_BYTES) throw new AgentError('key_invalid', 'an Ed25519 key has 32 bytes');
  return Buffer.concat([ED25519_SPKI_PREFIX, raw]).toString('base64');
}
