// HPKE (RFC 9180), base mode, one suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one message for each key.
import { createPublicKey, generateKeyPairSync, type KeyObject, type webcrypto } from 'node:crypto';
import { AgentError } from '../errors/agent-error.ts';

/** SPKI of X25519 is 12 bytes of prefix and then the raw key (RFC 8410). */
const X25519_SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');
/** Raw X25519 public key, and the encapsulated key at the start of a sealed message (Nenc of RFC 9180, table 2). */
export const X25519_KEY_BYTES = 32;
/** Tag of AES-256-GCM. */
const TAG_BYTES = 16;

/** A key pair for one answer. The private half never leaves the process and is dropped after its one use. */
export interface HpkeKeyPair {
  /** Raw, 32 bytes. */
  readonly publicKey: Buffer;
  readonly privateKey: KeyObject;
}

/** What both sides must agree on; not part of the message. */
export interface HpkeContext {
  readonly info: Buffer;
  readonly aad: Buffer;
}

export function freshHpkeKey(): HpkeKeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return { publicKey: spki.subarray(X25519_SPKI_PREFIX.length), privateKey };
}

/**
 * Encapsulated key ‖ ciphertext and tag.
 *
 * @param recipient raw X25519 public key
 * @throws key_invalid for a key of small order: its shared secret would be known to everybody (RFC 7748, section 6.1)
 */
export async function sealHpke(recipient: Buffer, plaintext: Buffer, o: HpkeContext): Promise<Buffer> {
  const suite = await hpkeSuite();
  try {
    const recipientPublicKey = publicCryptoKey(recipient);
    const { enc, ct } = await suite.seal({ recipientPublicKey, info: exact(o.info) }, exact(plaintext), exact(o.aad));
    return Buffer.concat([Buffer.from(enc), Buffer.from(ct)]);
  } catch {
    throw new AgentError('key_invalid', 'nothing can be sealed to the X25519 key');
  }
}

/**
 * The plaintext, which the caller zeros after use.
 *
 * @throws hpke_unreadable for another key, another context or changed bytes, which cannot be told apart
 */
export async function openHpke(key: HpkeKeyPair, sealed: Buffer, o: HpkeContext): Promise<Buffer> {
  if (sealed.length < X25519_KEY_BYTES + TAG_BYTES) throw unreadable();
  const suite = await hpkeSuite();
  const recipientKey = {
    privateKey: key.privateKey.toCryptoKey({ name: 'X25519' }, false, ['deriveBits']),
    publicKey: publicCryptoKey(key.publicKey),
  };
  const enc = exact(sealed.subarray(0, X25519_KEY_BYTES));
  try {
    const plain = await suite.open(
      { recipientKey, enc, info: exact(o.info) },
      exact(sealed.subarray(X25519_KEY_BYTES)),
      exact(o.aad),
    );
    return Buffer.from(plain);
  } catch {
    // Without the native error: it says nothing that helps, and could quote.
    throw unreadable();
  }
}

const unreadable = () =>
  new AgentError('hpke_unreadable', 'the sealed message does not open with this key and context');

/** Loaded when first needed: most processes seal and open nothing. */
async function hpkeSuite() {
  const { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } = await import('@hpke/core');
  return new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
}

function publicCryptoKey(raw: Buffer): webcrypto.CryptoKey {
  const der = Buffer.concat([X25519_SPKI_PREFIX, raw]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' }).toCryptoKey({ name: 'X25519' }, true, []);
}

/** Bytes in a buffer of their own: a Buffer may share its memory with others. */
function exact(bytes: Buffer): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}
