import { epochStatus } from '../service/confirm-epoch.ts';
import { print, table, when, type Common } from './output.ts';
import { storedOrigins, withSegments } from './with-segments.ts';
import type { WithData } from './with-records.ts';

/** Reads names only; `evidence verify` reads the entries. */
export async function listEvidence(o: Common & WithData): Promise<void> {
  await withSegments(o, async (records, segments) => {
    const { store } = records;
    const logs = [];
    for (const origin of await storedOrigins(records, segments)) {
      const refs = await segments.segments(origin, 0);
      const bound = store.appliances.bindingOf(origin);
      const receipt = store.evidence.latestReceipt(origin);
      const last = refs.at(-1)?.last ?? store.objects.last(origin)?.last ?? -1;
      logs.push({
        origin,
        status: bound === null ? null : epochStatus(store, bound),
        entries: last + 1,
        files: refs.length,
        receipted: receipt?.size ?? 0,
        receipted_at: receipt?.stored_at ?? null,
        root: receipt?.root ?? null,
        unverified: store.evidence.countUnverified(origin),
        conflicts: await segments.conflicts(origin),
      });
    }
    const cells = logs.map((log) => [
      log.origin,
      log.status ?? 'not bound',
      String(log.entries),
      String(log.receipted),
      when(log.receipted_at),
      String(log.unverified),
      String(log.conflicts),
    ]);
    print(
      o,
      { logs },
      table(['LOG', 'STATUS', 'ENTRIES', 'RECEIPTED', 'LAST RECEIPT', 'UNVERIFIED', 'CONFLICTS'], cells),
    );
  });
}
