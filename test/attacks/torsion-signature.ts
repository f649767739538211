// A signature that one Ed25519 implementation takes and another refuses: R carries a component of small order (RFC 8032 leaves
// cofactored and cofactorless verification to the implementer). Only the holder of the private key can make one.
import { createHash, type KeyObject } from 'node:crypto';
import { hashes, Point } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';

hashes.sha512 = sha512;
/** Order of the prime-order group (RFC 8032 section 5.1), and a point of order 8. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const T8 = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
/** Seed within the PKCS#8 encoding of an Ed25519 key (RFC 8410). */
const SEED_OFFSET = 16;
const NONCE = 7n;

export function torsionSignature(key: KeyObject, message: Uint8Array): Buffer {
  const seed = key.export({ type: 'pkcs8', format: 'der' }).subarray(SEED_OFFSET);
  const secret = clamped(createHash('sha512').update(seed).digest().subarray(0, 32));
  const a = Point.BASE.multiply(secret % L).toBytes();
  const r = Point.BASE.multiply(NONCE).add(T8).toBytes();
  const k = littleEndian(createHash('sha512').update(r).update(a).update(message).digest()) % L;
  const s = Buffer.alloc(32);
  for (let i = 0, rest = (NONCE + k * secret) % L; i < 32; i++, rest >>= 8n) s[i] = Number(rest & 0xffn);
  return Buffer.concat([r, s]);
}

function clamped(bytes: Uint8Array): bigint {
  const copy = Uint8Array.from(bytes);
  copy[0]! &= 248;
  copy[31] = (copy[31]! & 127) | 64;
  return littleEndian(copy);
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
