import { resolve } from 'node:path';
import { openSegmentStore } from '../evidence-store/open-segment-store.ts';
import type { SegmentStore } from '../evidence-store/segment-store.ts';
import { chosenStore } from '../service/choose-store.ts';
import type { Records } from '../service/central.ts';
import { withRecords, type WithData } from './with-records.ts';

/** Runs a verb on database and stored evidence, which it only reads, beside a server that may be running. */
export async function withSegments<T>(
  o: WithData,
  work: (records: Records, segments: SegmentStore) => T | Promise<T>,
): Promise<T> {
  return await withRecords(o, async (records) => {
    const address = chosenStore(records.store);
    const segments = await openSegmentStore({ dataDir: resolve(o.data), address, now: records.now, owner: null });
    try {
      return await work(records, segments);
    } finally {
      segments.close();
    }
  });
}

/** Logs of which something is stored, or was receipted; sorted. */
export async function storedOrigins({ store }: Records, segments: SegmentStore): Promise<string[]> {
  return [...new Set([...(await segments.origins()), ...store.evidence.origins()])].sort();
}
