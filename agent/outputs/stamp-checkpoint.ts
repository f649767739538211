// Has the last cosigned checkpoint of our log timestamped by an authority outside of the vendor, and keeps the answer.
import type { EvidenceLog } from '../evidence/log.ts';
import type { CheckpointRow, Store } from '../store/open-store.ts';
import type { Ids } from '../system/ports.ts';
import { openTimestamp } from '../trust/open-timestamp.ts';
import { sha256Hex } from '../wire/digest.ts';
import { encodeTimestampRequest, NONCE_BYTES, stampedText } from '../wire/timestamp.ts';
import { askForTimestamp } from './ask-for-timestamp.ts';

export interface StampDeps {
  readonly store: Store;
  readonly ids: Pick<Ids, 'randomBytes'>;
  readonly log: Pick<EvidenceLog, 'append'>;
  readonly url: string;
  /** PEM certificates that the authority must lead to; null: the signature is left for the auditor. */
  readonly authorities: readonly string[] | null;
  readonly deadlineMs?: number;
}

/** A checkpoint that was stamped once is not stamped again: nothing new would be said. */
export const wantsStamp = (checkpoint: CheckpointRow | null, store: Pick<Store, 'timestamps'>): boolean =>
  checkpoint !== null && checkpoint.size > (store.timestamps.latest(checkpoint.origin)?.size ?? 0);

/**
 * Asks, checks and keeps; and records in the log that it did, so that nobody can later leave the timestamp out unseen.
 *
 * @throws timestamp_refused, timestamp_invalid
 */
export async function stampCheckpoint(d: StampDeps, checkpoint: CheckpointRow, signal: AbortSignal): Promise<number> {
  const { origin, size, root } = checkpoint;
  const data = stampedText(origin, size, Buffer.from(root, 'hex'));
  const nonce = d.ids.randomBytes(NONCE_BYTES);
  const response = await askForTimestamp(d.url, encodeTimestampRequest(data, nonce), signal, d.deadlineMs);
  const { time } = openTimestamp(response, { data, nonce, authorities: d.authorities });
  d.store.unit(() => {
    d.store.timestamps.save({ origin, size, root, response, at: time });
    const sha256 = sha256Hex(response);
    d.log.append('transmission', {
      output: 'timestamp',
      what: 'checkpoint',
      sha256,
      bytes: response.length,
      state: 'delivered',
    });
  });
  return time;
}
