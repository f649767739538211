// SHA-256, the one digest of all formats.
import { createHash, hash } from 'node:crypto';

/** SHA-256 of bytes, or of the UTF-8 of a string. */
export function sha256(data: Uint8Array | string): Buffer {
  return createHash('sha256').update(data).digest();
}

/** SHA-256 as 64 lower-case hex digits. */
export function sha256Hex(data: Uint8Array | string): string {
  return hash('sha256', data, 'hex');
}
