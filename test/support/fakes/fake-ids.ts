// Ids and random bytes that are the same in every run.
import { createHash } from 'node:crypto';
import { createIds } from '../../../agent/system/ids.ts';
import type { Clock, Ids } from '../../../agent/system/ports.ts';

/** A deterministic stream from a seed: SHA-256 of seed and counter. */
export function seededBytes(seed: string | number): (length: number) => Buffer {
  let counter = 0;
  return (length) => {
    const chunks: Buffer[] = [];
    for (let have = 0; have < length; have += 32) {
      chunks.push(createHash('sha256').update(`${seed}/${counter++}`).digest());
    }
    return Buffer.concat(chunks).subarray(0, length);
  };
}

export function fakeIds(
  seed: string | number = 1,
  clock: Pick<Clock, 'wallMs'> = { wallMs: () => 1_780_000_000_000 },
): Ids {
  return createIds(clock, seededBytes(seed));
}
