// Batches of evidence that Central Command stores per second, durably and with their row in the index: in the folder, and in a
// bucket with Object Lock where radosgw is installed (in memory on this machine: what is measured is our part and the protocol).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSegmentStore } from '../central/evidence-store/open-segment-store.ts';
import { parseStoreAddress } from '../central/evidence-store/store-address.ts';
import { evidenceLab, inSevenYears, unixNow } from '../test/support/evidence-lab.ts';
import { startS3, whyNoS3 } from '../test/support/radosgw.ts';
import { s3Lab } from '../test/support/s3-place.ts';
import { rowOf, type BenchRow } from './bench-row.ts';

interface Sizes {
  readonly runs: number;
  readonly batches: number;
  /** Logs that are written at once. */
  readonly logs: readonly number[];
}
const FULL: Sizes = { runs: 5, batches: 64, logs: [1, 8] };
const SMOKE: Sizes = { runs: 1, batches: 4, logs: [1, 2] };
/** A batch as an appliance sends it while little happens: 20 entries of 1.5 KB. */
const LINE = Buffer.alloc(1_500, 'x');
const BATCH_LINES = 20;

export async function benchEvidenceStore({ smoke = false } = {}): Promise<BenchRow[]> {
  const sizes = smoke ? SMOKE : FULL;
  const rows = await measure('folder', 'folder', sizes);
  const why = whyNoS3();
  if (why !== null) {
    process.stdout.write(`S3 is not measured: ${why}\n`);
    return rows;
  }
  const server = await startS3();
  Object.assign(process.env, server.env);
  const lab = s3Lab(server);
  try {
    const address = lab.address(await lab.bucket());
    return [...rows, ...(await measure('S3 Object Lock', address, sizes))];
  } finally {
    lab.close();
    await server.end();
  }
}

async function measure(name: string, place: string, { runs, batches, logs }: Sizes): Promise<BenchRow[]> {
  const dataDir = mkdtempSync(join(tmpdir(), 'bench-evidence-'));
  const lab = evidenceLab();
  const owner = { id: 'bench', retainUntil: inSevenYears() };
  const segments = await openSegmentStore({ dataDir, address: parseStoreAddress(place), now: unixNow, owner });
  try {
    const store = await lab.open(segments);
    const lines = Array.from({ length: BATCH_LINES }, () => LINE);
    const rows: BenchRow[] = [];
    for (const atOnce of logs) {
      const rates: number[] = [];
      // The first run warms up.
      for (let run = 0; run <= runs; run++) {
        const start = performance.now();
        const writers = Array.from({ length: atOnce }, async (_, log) => {
          const origin = `bench/${atOnce}-${log}/1`;
          for (let i = 0; i < batches / atOnce; i++) await store.append(origin, lines, inSevenYears());
        });
        await Promise.all(writers);
        rates.push(batches / ((performance.now() - start) / 1_000));
      }
      const what = atOnce === 1 ? 'one log' : `${atOnce} logs at once`;
      rows.push(rowOf(`central stored batches, ${name}, ${what}`, '1/s', rates.slice(1)));
    }
    return rows;
  } finally {
    segments.close();
    lab.remove();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
