import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { listSegments, originFolder } from '../evidence-store/segment-folder.ts';
import { evidenceDir } from '../service/central.ts';
import { print, table, when, type Common } from './output.ts';
import { storedOrigins } from './stored-origins.ts';
import { withRecords, type WithData } from './with-records.ts';

/** Reads names only; `evidence verify` reads the entries. */
export async function listEvidence(o: Common & WithData): Promise<void> {
  const dir = evidenceDir(resolve(o.data));
  await withRecords(o, async ({ store }) => {
    const logs = [];
    for (const origin of storedOrigins(dir, store)) {
      const folder = originFolder(dir, origin);
      const segments = existsSync(folder) ? await listSegments(folder) : [];
      const receipt = store.evidence.latestReceipt(origin);
      const conflicts = join(folder, 'conflicts');
      logs.push({
        origin,
        entries: (segments.at(-1)?.last ?? -1) + 1,
        files: segments.length,
        receipted: receipt?.size ?? 0,
        receipted_at: receipt?.stored_at ?? null,
        root: receipt?.root ?? null,
        unverified: store.evidence.countUnverified(origin),
        conflicts: existsSync(conflicts) ? readdirSync(conflicts).length : 0,
      });
    }
    const cells = logs.map((log) => [
      log.origin,
      String(log.entries),
      String(log.receipted),
      when(log.receipted_at),
      String(log.unverified),
      String(log.conflicts),
    ]);
    print(o, { logs }, table(['LOG', 'ENTRIES', 'RECEIPTED', 'LAST RECEIPT', 'UNVERIFIED', 'CONFLICTS'], cells));
  });
}
