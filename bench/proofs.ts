// Proofs from tiles at two sizes of a log, and what a check-in costs with its cosignature: each side alone, and whole over TLS
// to a real Central Command.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { completeTiles } from '../agent/evidence/tiles.ts';
import { logTree } from '../agent/evidence/log-tree.ts';
import { openStore, type Store } from '../agent/store/open-store.ts';
import { CompactRange, leafHash, verifyConsistency } from '../agent/wire/merkle.ts';
import { enrolAppliance } from '../test/support/enrolled-appliance.ts';
import { startRealCentral } from '../test/support/real-central.ts';
import { makeWitnessSite } from '../test/support/witness-site.ts';
import { rowOf, type BenchRow } from './bench-row.ts';

const FULL = { sizes: [10_000, 1_000_000], runs: 5, proofs: 400, checkins: 50 } as const;
const SMOKE = { sizes: [500, 5_000], runs: 1, proofs: 40, checkins: 5 } as const;
/** Entries per transaction while a log is filled: filling is not measured. */
const FILL_BATCH = 5_000;
/** Entries between two check-ins: a busy minute. */
const GROWTH = 10;
const LINE = 'x'.repeat(300);

type Times = readonly number[];

export async function benchProofs({ smoke = false } = {}): Promise<BenchRow[]> {
  const o = smoke ? SMOKE : FULL;
  const parent = mkdtempSync(join(import.meta.dirname, '.proofs-'));
  try {
    const rows: BenchRow[] = [];
    for (const size of o.sizes) rows.push(...proofsAt(join(parent, String(size)), size, o));
    return [
      ...rows.map((row, i) => against(row, rows[i % 3])),
      ...(await witnessSides(o)),
      ...(await wholeCheckIns(o)),
    ];
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

/** The rows of the larger size are compared with those of the smaller. */
const against = (row: BenchRow, small: BenchRow | undefined): BenchRow =>
  small === undefined || small === row ? row : { ...row, against: small.name, ratio: row.value / small.value };

function proofsAt(dir: string, size: number, o: { runs: number; proofs: number }): BenchRow[] {
  const store = openStore({ dir, clock: { wallMs: () => Date.now() } });
  fill(store, size);
  const tree = logTree(store, 1);
  const root = Buffer.from(tree.rootAt(), 'hex');
  const anywhere = (n: number): number => 1 + ((n * 7_919_993) % (size - 1));
  const proofs: Record<string, (n: number) => void> = {
    'inclusion proof': (n) => void tree.inclusionProof(anywhere(n), size),
    'consistency proof': (n) => void tree.consistencyProof(anywhere(n), size),
    'root at an earlier size': (n) => void tree.rootAt(anywhere(n)),
  };
  const old = anywhere(1);
  if (!verifyConsistency(old, Buffer.from(tree.rootAt(old), 'hex'), size, root, tree.consistencyProof(old, size))) {
    throw new Error('a proof does not verify');
  }
  const rows = Object.entries(proofs).map(([name, prove]) => {
    timesOf(o.proofs, prove);
    const p99s = Array.from({ length: o.runs }, () => p99(timesOf(o.proofs, prove)));
    return rowOf(`${name}, ${size.toLocaleString('en')} leaves, p99`, 'ms', p99s);
  });
  store.close();
  return rows;
}

/** Leaves and tiles as the log writes them; the lines are no statements, for no proof reads them. */
function fill(store: Store, size: number): void {
  const tree = CompactRange.from(0, []);
  for (let from = 0; from < size; from += FILL_BATCH) {
    store.unit(() => {
      for (let seq = from; seq < Math.min(from + FILL_BATCH, size); seq += 1) {
        const line = `${LINE}${seq}`;
        const leaf = leafHash(line);
        tree.append(leaf);
        const about = { kind: 'heartbeat', targetId: null, checkId: null, observedTo: 0 };
        store.entries.append({ epoch: 1, seq, ...about, line, leaf, range: tree.hashes() });
      }
      completeTiles(store, 1);
    });
  }
}

async function witnessSides(o: { runs: number; checkins: number }): Promise<BenchRow[]> {
  const site = await makeWitnessSite();
  const box = site.open();
  const times = { ask: [] as number[], witness: [] as number[], take: [] as number[] };
  for (let run = 0; run <= o.runs; run += 1) {
    const part = { ask: [] as number[], witness: [] as number[], take: [] as number[] };
    for (let n = 0; n < o.checkins; n += 1) {
      box.append(GROWTH);
      const [question, asked] = timed(() => box.witness.ask());
      const [verdict, judged] = timed(() => site.ask(question));
      const [outcome, taken] = timed(() => box.store.unit(() => box.witness.take(verdict, question)));
      if (outcome.kind !== 'cosigned') throw new Error(`not cosigned: ${outcome.kind}`);
      part.ask.push(asked);
      part.witness.push(judged);
      part.take.push(taken);
    }
    // The first run warms up.
    if (run > 0) for (const key of ['ask', 'witness', 'take'] as const) times[key].push(p99(part[key]));
  }
  box.close();
  site.remove();
  return [
    rowOf('appliance asks for a cosignature, p99', 'ms', times.ask),
    rowOf('central verifies, persists, cosigns, p99', 'ms', times.witness),
    rowOf('appliance verifies and keeps it, p99', 'ms', times.take),
  ];
}

async function wholeCheckIns(o: { runs: number; checkins: number }): Promise<BenchRow[]> {
  const central = await startRealCentral();
  try {
    const box = await enrolAppliance(central, { applianceId: 'bench' });
    const p99s: number[] = [];
    const bytes: number[] = [];
    for (let run = 0; run <= o.runs; run += 1) {
      const times: number[] = [];
      let sum = 0;
      for (let n = 0; n < o.checkins; n += 1) {
        box.append(GROWTH);
        const start = performance.now();
        const { answer, bytes: wire } = await box.checkIn();
        times.push(performance.now() - start);
        if (answer.witness?.verdict !== 'cosigned') throw new Error('not cosigned');
        sum += wire.sent + wire.received;
        // The server takes five check-ins a second of one appliance, and sixty at once.
        await new Promise((resolve) => setTimeout(resolve, PACE_MS));
      }
      if (run === 0) continue;
      p99s.push(p99(times));
      bytes.push(sum / o.checkins);
    }
    await box.close();
    return [
      rowOf('check-in with cosigning over TLS, p99', 'ms', p99s),
      rowOf('check-in with cosigning, bytes on the wire', 'B', bytes),
    ];
  } finally {
    await central.remove();
  }
}

const PACE_MS = 200;

function timed<T>(work: () => T): [value: T, ms: number] {
  const start = performance.now();
  const value = work();
  return [value, performance.now() - start];
}

const timesOf = (count: number, work: (n: number) => void): Times =>
  Array.from({ length: count }, (_, n) => timed(() => work(n))[1]);

function p99(times: Times): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0;
}

if (import.meta.main) console.table(await benchProofs({ smoke: process.argv.includes('--smoke') }));
