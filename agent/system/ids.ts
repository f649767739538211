// Random bytes and identifiers.
import { randomFillSync } from 'node:crypto';
import type { Clock, Ids } from './ports.ts';

/** rand_a is a 12-bit counter within one millisecond (RFC 9562, 6.2 method 1); it starts in its lower half. */
const COUNTER_LIMIT = 0x1000;
const COUNTER_START_LIMIT = 0x800;

/** Random bytes fetched at once: asking OpenSSL costs the same for ten bytes as for thousands. */
const POOL_BYTES = 4_096;

/** Random bytes from a pool that is filled when it runs out. Each byte is given out once and is erased from the pool then. */
export function pooledRandomBytes(fill: (pool: Buffer) => void = randomFillSync): (length: number) => Buffer {
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;
  return (length) => {
    if (length > POOL_BYTES) {
      const own = Buffer.alloc(length);
      fill(own);
      return own;
    }
    if (used + length > POOL_BYTES) {
      fill(pool);
      used = 0;
    }
    const taken = Buffer.from(pool.subarray(used, used + length));
    pool.fill(0, used, used + length);
    used += length;
    return taken;
  };
}

/** Writes a UUIDv7 from its three parts: 48-bit Unix ms, 12-bit counter, 8 random bytes (62 bits are used). */
function formatUuidv7(unixMs: number, counter: number, random: Buffer): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(unixMs, 0, 6);
  bytes.writeUInt16BE(0x7000 | counter, 6);
  random.copy(bytes, 8, 0, 8);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/**
 * Ids that rise within one process even where the wall clock stands still or goes back: then the last millisecond is
 * kept and the counter moves on.
 */
export function createIds(
  clock: Pick<Clock, 'wallMs'>,
  randomBytes: (length: number) => Buffer = pooledRandomBytes(),
): Ids {
  let lastMs = 0;
  let counter = 0;
  return {
    uuidv7(): string {
      const random = randomBytes(10);
      const now = clock.wallMs();
      if (now > lastMs) {
        lastMs = now;
        counter = random.readUInt16BE(8) % COUNTER_START_LIMIT;
      } else if (++counter === COUNTER_LIMIT) {
        lastMs++;
        counter = 0;
      }
      return formatUuidv7(lastMs, counter, random);
    },
    randomBytes: (length) => randomBytes(length),
    random: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  };
}
