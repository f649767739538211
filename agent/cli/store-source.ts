// The local log as a source of entries for a bundle.
import type { LogSource } from '../bundle/log-source.ts';
import { logRows } from '../evidence/log-rows.ts';
import { stampedText, type StampedFile } from '../wire/timestamp.ts';
import type { EnrolledIdentity, Store } from '../store/open-store.ts';

export const originOf = (identity: Pick<EnrolledIdentity, 'origin'>, epoch: number): string =>
  identity.origin.replace(/[0-9]+$/, String(epoch));

export function storeSource(store: Store, identity: EnrolledIdentity, epoch: number): LogSource {
  const origin = originOf(identity, epoch);
  // Fixed at the start: the daemon may go on writing.
  const { size } = store.entries.state(epoch);
  return {
    origin,
    applianceId: identity.applianceId,
    epoch,
    size,
    async *pages() {
      yield* logRows(store, epoch, 0, size);
    },
    receipts: store.uplink.receipts(origin).filter((row) => row.size <= size),
    checkpoints: store.checkpoints.all(origin).filter((row) => row.size <= size),
    timestamps: storedTimestamps(store, origin, size),
  };
}

/** Those of the first `size` entries, with what each is over. */
export function storedTimestamps(store: Store, origin: string, size: number): StampedFile[] {
  return store.timestamps
    .all(origin)
    .filter((row) => row.size <= size)
    .map((row) => ({
      size: row.size,
      response: row.response,
      text: stampedText(origin, row.size, Buffer.from(row.root, 'hex')),
    }));
}
