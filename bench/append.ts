// append + sign of the real log against a bare FULL insert of lines of the same size plus one signature each, on the same
// disk, for an empty log and one of 200,000 entries.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { createEvidenceLog } from '../agent/evidence/log.ts';
import { openStore } from '../agent/store/open-store.ts';
import { createIds } from '../agent/system/ids.ts';
import { openBinding } from '../agent/trust/binding.ts';
import { jcsDigest } from '../agent/wire/jcs.ts';
import { generateEd25519 } from '../agent/wire/node-signature.ts';
import type { EntryBody } from '../agent/wire/schemas/entry.ts';
import { makeTrust } from '../test/support/trust-fixtures.ts';
import { median, rowOf, type BenchRow } from './bench-row.ts';

const RUNS = 7;
const APPENDS_PER_RUN = 500;
/** Commits of one side before the other has its turn. */
const TURN = 20;
const LARGE_LOG = 200_000;
const SMOKE_APPENDS = 40;
const SMOKE_LOG = 2_000;
/** Entries per transaction while the large log is filled: filling is not measured. */
const FILL_BATCH = 2_000;

const body = (n: number): EntryBody<'finding'> => {
  const facts = {
    state_used_percent: n % 100,
    state_free_mib: 10_000 + n,
    state_file_system: 'ext4',
    state_fill: 'ok',
    root_used_percent: 41,
    root_read_only: false,
  };
  return {
    target: { id: 'appliance', role: 'appliance', os_build: null },
    check: { id: 'disk', version: 1 },
    baseline: { id: 'appliance', version: 1, sha256: 'b1'.repeat(32) },
    controls: [{ map: 'hipaa-2013', cite: '164.308(a)(1)(ii)(D)' }],
    severity: 'info',
    result: 'pass',
    previous_result: 'pass',
    sentence: `the state volume is ${n % 100} % full with ${10_000 + n} MiB free, and both can be written`,
    facts,
    facts_digest: jcsDigest(facts),
    facts_read_at: 1_780_315_200,
  };
};

function openLog(dir: string) {
  const clock = { wallMs: () => Date.now() };
  const trust = makeTrust();
  const store = openStore({ dir, clock });
  const log = createEvidenceLog({
    store,
    clock,
    ids: createIds(clock),
    signer: trust.keys['device']!,
    binding: openBinding(trust.root.root, trust.sign('binding', trust.binding())),
    context: () => ({
      agent_version: '0.1.0',
      nixos_revision: null,
      derivation_digest: null,
      clock: { source: 'central', synchronized: true, skew_ms: 3, boot_id: '00000000-0000-4000-8000-000000000001' },
      root_version: 1,
      policy_version: 1,
      ruleset_digest: 'c1'.repeat(32),
    }),
  });
  return { store, log };
}

const secondsOf = (count: number, fn: (n: number) => void): number => {
  const start = process.hrtime.bigint();
  for (let n = 0; n < count; n++) fn(n);
  return Number(process.hrtime.bigint() - start) / 1e9;
};

/** A table with one integer key and one text, WAL, FULL: what any program pays that keeps a line and one signature. */
function openBare(dir: string, line: string): { insert: (n: number) => void; close: () => void } {
  const { signer } = generateEd25519();
  const db = new Database(join(dir, 'bare.db'));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE IF NOT EXISTS lines (id INTEGER PRIMARY KEY, line TEXT NOT NULL)');
  const statement = db.prepare('INSERT INTO lines (line) VALUES (?)');
  const bytes = Buffer.from(line);
  const insert = (): void => {
    signer.sign(bytes);
    statement.run(line);
  };
  return { insert, close: () => void db.close() };
}

function fill(dir: string, rows: number): void {
  const { store, log } = openLog(dir);
  for (let n = 0; n < rows; n += FILL_BATCH) {
    store.unit(() => {
      for (let i = 0; i < FILL_BATCH; i++) log.append('finding', body(n + i));
    });
  }
  store.close();
}

/** Bare and real take turns every few commits, so that what else the machine does meets both. */
function compare(dir: string, size: string, appends: number): BenchRow[] {
  const { store, log } = openLog(dir);
  const real = (n: number): void => void log.append('finding', body(n));
  secondsOf(appends, real);
  const line = store.entries.get(log.epoch, log.size() - 1)?.line ?? '';
  const bare = openBare(dir, line);
  secondsOf(appends, bare.insert);
  const figures = { bare: [] as number[], real: [] as number[] };
  for (let run = 0; run < RUNS; run++) {
    const seconds = { bare: 0, real: 0 };
    for (let n = 0; n < appends; n += TURN) {
      seconds.bare += secondsOf(TURN, bare.insert);
      seconds.real += secondsOf(TURN, real);
    }
    figures.bare.push(appends / seconds.bare);
    figures.real.push(appends / seconds.real);
  }
  bare.close();
  store.close();
  const bareRow = rowOf(`bare FULL insert + one signature, ${line.length} bytes, ${size}`, '1/s', figures.bare);
  const realRow = rowOf(`append + sign + fsync, ${size}`, '1/s', figures.real);
  const ratios = figures.real.map((value, run) => value / (figures.bare[run] ?? value));
  return [bareRow, { ...realRow, against: bareRow.name, ratio: median(ratios) }];
}

/** Uses a directory beside the repository, as temporary directories often lie in memory. */
export async function benchAppend({ smoke = false } = {}): Promise<BenchRow[]> {
  const [large, appends] = smoke ? [SMOKE_LOG, SMOKE_APPENDS] : [LARGE_LOG, APPENDS_PER_RUN];
  const parent = mkdtempSync(join(import.meta.dirname, '.append-'));
  try {
    // The compiler takes a few thousand calls to settle.
    fill(join(parent, 'warm-up'), SMOKE_LOG);
    const empty = compare(join(parent, 'empty'), 'empty log', appends);
    fill(join(parent, 'large'), large);
    const filled = compare(join(parent, 'large'), `${large} entries`, appends);
    return await Promise.resolve([...empty, ...filled]);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

if (import.meta.main) console.table(await benchAppend());
