// A second implementation of HPKE's base mode for X25519, HKDF-SHA256 and AES-GCM (RFC 9180, sections 4 and 5), of Node's
// primitives alone: what the product's package is held against. For tests only.
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto';

const SPKI = Buffer.from('302a300506032b656e032100', 'hex');
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const KEM_ID = 0x0020;
const KDF_ID = 0x0001;

export type AeadId = 1 | 2;
const AEAD = { 1: { name: 'aes-128-gcm', keyBytes: 16 }, 2: { name: 'aes-256-gcm', keyBytes: 32 } } as const;

const i2osp = (n: number, length: number): Buffer => Buffer.from(n.toString(16).padStart(length * 2, '0'), 'hex');
const hmac = (key: Buffer, ...parts: Buffer[]): Buffer => {
  const h = createHmac('sha256', key);
  for (const part of parts) h.update(part);
  return h.digest();
};
const VERSION = Buffer.from('HPKE-v1');
const labelled = (suite: Buffer, label: string): Buffer => Buffer.concat([VERSION, suite, Buffer.from(label)]);
const extract = (suite: Buffer, salt: Buffer, label: string, ikm: Buffer): Buffer =>
  hmac(salt.length === 0 ? Buffer.alloc(32) : salt, labelled(suite, label), ikm);
/** At most one block of SHA-256 is ever needed here. */
const expand = (suite: Buffer, prk: Buffer, label: string, info: Buffer, length: number): Buffer =>
  hmac(prk, i2osp(length, 2), labelled(suite, label), info, Buffer.from([1])).subarray(0, length);

const publicKey = (raw: Buffer) => createPublicKey({ key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' });
const privateKey = (raw: Buffer) =>
  createPrivateKey({ key: Buffer.concat([PKCS8, raw]), format: 'der', type: 'pkcs8' });
const rawPublic = (raw: Buffer): Buffer =>
  createPublicKey(privateKey(raw)).export({ type: 'spki', format: 'der' }).subarray(SPKI.length);

function keyAndNonce(dh: Buffer, enc: Buffer, pkR: Buffer, info: Buffer, aead: AeadId) {
  const kem = Buffer.concat([Buffer.from('KEM'), i2osp(KEM_ID, 2)]);
  const suite = Buffer.concat([Buffer.from('HPKE'), i2osp(KEM_ID, 2), i2osp(KDF_ID, 2), i2osp(aead, 2)]);
  const none = Buffer.alloc(0);
  const shared = expand(kem, extract(kem, none, 'eae_prk', dh), 'shared_secret', Buffer.concat([enc, pkR]), 32);
  const context = Buffer.concat([
    Buffer.from([0]),
    extract(suite, none, 'psk_id_hash', none),
    extract(suite, none, 'info_hash', info),
  ]);
  const secret = extract(suite, shared, 'secret', none);
  return {
    key: expand(suite, secret, 'key', context, AEAD[aead].keyBytes),
    nonce: expand(suite, secret, 'base_nonce', context, 12),
  };
}

interface Context {
  readonly info: Buffer;
  readonly aad: Buffer;
  readonly aead: AeadId;
}

/** `ephemeral`: raw private key of the sender, new for each message. */
export function referenceSeal(pkR: Buffer, ephemeral: Buffer, plaintext: Buffer, o: Context): Buffer {
  const enc = rawPublic(ephemeral);
  const dh = diffieHellman({ privateKey: privateKey(ephemeral), publicKey: publicKey(pkR) });
  const { key, nonce } = keyAndNonce(dh, enc, pkR, o.info, o.aead);
  const cipher = createCipheriv(AEAD[o.aead].name, key, nonce).setAAD(o.aad);
  return Buffer.concat([enc, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

export function referenceOpen(skR: Buffer, sealed: Buffer, o: Context): Buffer {
  const enc = sealed.subarray(0, 32);
  const dh = diffieHellman({ privateKey: privateKey(skR), publicKey: publicKey(enc) });
  const { key, nonce } = keyAndNonce(dh, enc, rawPublic(skR), o.info, o.aead);
  const decipher = createDecipheriv(AEAD[o.aead].name, key, nonce).setAAD(o.aad).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(32, -16)), decipher.final()]);
}
