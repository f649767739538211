// The 16 characters by which people compare a device on a console with the one Central Command shows.
import { createHash } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** 80 bits: 16 characters of 5 bits. */
const FINGERPRINT_BYTES = 10;

/**
 * First 80 bits of SHA-256(DER of the device SPKI ‖ 32 bytes of the root digest) in RFC 4648 base32, upper case.
 *
 * @param deviceSpki DER SubjectPublicKeyInfo in base64
 * @param rootDigest SHA-256 of the root's payload, 64 lower-case hex digits
 */
export function fingerprint(deviceSpki: string, rootDigest: string): string {
  const digest = createHash('sha256')
    .update(Buffer.from(deviceSpki, 'base64'))
    .update(Buffer.from(rootDigest, 'hex'))
    .digest();
  let bits = BigInt(`0x${digest.subarray(0, FINGERPRINT_BYTES).toString('hex')}`);
  let out = '';
  for (let i = 0; i < 16; i++) {
    out = (ALPHABET[Number(bits & 31n)] as string) + out;
    bits >>= 5n;
  }
  return out;
}
