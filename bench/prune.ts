// Pruning a log under a receipt and a cosigned checkpoint: how long it takes, and what the database takes before and after.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE_FILE } from '../agent/store/open-store.ts';
import { openLog, type OpenLog } from '../test/support/evidence-fixtures.ts';
import { appendFindings, DAY_S, linesHeld, prune, saveCheckpoint, saveReceipt } from '../test/support/prunable-log.ts';
import { NOW } from '../test/support/trust-fixtures.ts';
import { rowOf, type BenchRow } from './bench-row.ts';

const FULL = { sizes: [10_000, 100_000], runs: 5 } as const;
const SMOKE = { sizes: [600, 1_200], runs: 1 } as const;
/** Entries per transaction while a log is filled: filling is not measured. */
const FILL_BATCH = 2_000;
const MIB = 1_048_576;

interface Measured {
  readonly seconds: number;
  readonly before: number;
  readonly after: number;
  /** After as many entries as were pruned were appended again. */
  readonly refilled: number;
}

export async function benchPrune({ smoke = false } = {}): Promise<BenchRow[]> {
  const o = smoke ? SMOKE : FULL;
  const rows: BenchRow[] = [];
  for (const size of o.sizes) {
    const runs: Measured[] = [];
    for (let run = 0; run < o.runs; run += 1) runs.push(await measure(size));
    const called = size.toLocaleString('en');
    const perThousand = rowOf(
      `prune of ${called} entries, per 1,000`,
      'ms',
      runs.map((r) => (r.seconds * 1e6) / size),
    );
    const small = rows[0];
    rows.push(
      small === undefined
        ? perThousand
        : { ...perThousand, against: small.name, ratio: perThousand.value / small.value },
      rowOf(
        `database before, ${called} entries`,
        'MiB',
        runs.map((r) => r.before / MIB),
      ),
      rowOf(
        `database after the prune`,
        'MiB',
        runs.map((r) => r.after / MIB),
      ),
      rowOf(
        `database after as many entries more`,
        'MiB',
        runs.map((r) => r.refilled / MIB),
      ),
    );
  }
  return rows;
}

async function measure(size: number): Promise<Measured> {
  const dir = mkdtempSync(join(import.meta.dirname, '.prune-'));
  try {
    /** Closed, so that the file has what lay in its write-ahead log. */
    const fileBytesAfter = async (work: (open: OpenLog) => void | Promise<void>): Promise<number> => {
      const open = openLog(dir);
      await work(open);
      open.store.close();
      return statSync(join(dir, DATABASE_FILE)).size;
    };
    const fill = (open: OpenLog, count: number): void => {
      for (let left = count; left > 0; left -= FILL_BATCH) appendFindings(open, Math.min(FILL_BATCH, left));
    };
    const before = await fileBytesAfter((open) => {
      fill(open, size + 256);
      saveReceipt(open.store, size, NOW - 91 * DAY_S);
      saveCheckpoint(open.store, size);
    });
    let [seconds, removed] = [0, 0];
    const after = await fileBytesAfter(async ({ store }) => {
      const start = performance.now();
      removed = (await prune(store)).removed;
      seconds = (performance.now() - start) / 1_000;
      if (removed < size - 512 || linesHeld(store).length > 800) throw new Error('not everything was pruned');
    });
    const refilled = await fileBytesAfter((open) => fill(open, removed));
    return { seconds, before, after, refilled };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
