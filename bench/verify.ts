// Verifying a log, and exporting one: entries per second of CPU, so that other work on the machine counts little, and memory that must not grow with the log. Each run is a
// process of its own, so that its memory is its own too.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { signEnvelope, encodeEnvelope } from '../agent/wire/dsse.ts';
import { encodeDocument } from '../agent/wire/document.ts';
import { leafHash } from '../agent/wire/merkle.ts';
import { DOCUMENTS } from '../agent/wire/schemas/payload-types.ts';
import { makeLog } from '../test/support/sample-log.ts';
import { makeTrust } from '../test/support/trust-fixtures.ts';
import { rowOf, type BenchRow } from './bench-row.ts';

const RUNS = 5;
const SIZES = [10_000, 100_000];
/** With `--large`: minutes to write, minutes to verify. */
const LARGE = 1_000_000;
const SMOKE_SIZES = [200, 400];
const EXPORT_SIZES = [10_000, 100_000];
const SMOKE_EXPORTS = [200];
const REPO = join(import.meta.dirname, '..');

interface Measured {
  readonly seconds: number;
  /** Largest resident set of the process, MiB. */
  readonly mib: number;
}

/** A log of `size` findings that verifies, written to `dir` as lines and roots. */
function writeLog(dir: string, size: number): string {
  const trust = makeTrust();
  const log = makeLog(trust);
  const device = trust.keys['device']!;
  let prev = leafHash(log.lines[0]!).toString('hex');
  const file = join(dir, `${size}.jsonl`);
  const fd = openSync(file, 'w');
  writeSync(fd, `${log.lines[0]!}\n`);
  const statement = log.next('finding', {
    target: { id: 'appliance', role: 'appliance', os_build: null },
    check: { id: 'disk', version: 1 },
    baseline: { id: 'appliance', version: 1, sha256: 'b1'.repeat(32) },
    controls: [{ map: 'hipaa-2013', cite: '164.308(a)(1)(ii)(D)' }],
    severity: 'info',
    result: 'pass',
    previous_result: 'pass',
    sentence: 'the state volume is 61 % full, and all volumes can be written',
    facts: { state_used_percent: 61, state_free_mib: 10_000, root_read_only: false },
    facts_digest: 'f1'.repeat(32),
    facts_read_at: 1_780_315_200,
  });
  for (let seq = 1; seq < size; seq++) {
    const predicate = { ...statement.predicate, seq, prev };
    const payload = encodeDocument('entry', { ...statement, predicate });
    const line = encodeEnvelope(signEnvelope(DOCUMENTS.entry.payloadType, payload, [device]));
    prev = leafHash(line).toString('hex');
    writeSync(fd, `${line}\n`);
  }
  closeSync(fd);
  writeFileSync(join(dir, 'root.json'), `${trust.root.line}\n`);
  return file;
}

/** Runs verify-process.ts and reads what it measured of itself. */
function measured(mode: string, ...args: string[]): Measured {
  const program = join(import.meta.dirname, 'verify-process.ts');
  const text = execFileSync(process.execPath, [program, mode, ...args], { cwd: REPO, encoding: 'utf8' });
  return JSON.parse(text) as Measured;
}

function rowsOf(name: string, size: number, runs: readonly Measured[]): BenchRow[] {
  return [
    rowOf(
      `${name}, ${size} entries`,
      'entries/CPU-s',
      runs.map((run) => size / run.seconds),
    ),
    rowOf(
      `${name}, ${size} entries: largest memory`,
      'MiB',
      runs.map((run) => run.mib),
    ),
  ];
}

export async function benchVerify({ smoke = false, large = false } = {}): Promise<BenchRow[]> {
  const dir = mkdtempSync(join(import.meta.dirname, '.verify-'));
  const times = smoke ? 1 : RUNS;
  const repeat = (fn: () => Measured): Measured[] => Array.from({ length: times }, fn);
  try {
    const rows: BenchRow[] = [];
    const { digest } = makeTrust().root;
    for (const size of smoke ? SMOKE_SIZES : large ? [...SIZES, LARGE] : SIZES) {
      const file = writeLog(dir, size);
      rows.push(
        ...rowsOf(
          'verify a log on one core',
          size,
          repeat(() => measured('verify', file, digest)),
        ),
      );
    }
    for (const size of smoke ? SMOKE_EXPORTS : EXPORT_SIZES) {
      const state = join(dir, `state-${size}`);
      measured('fill', state, String(size));
      const exports = repeat(() => {
        const run = measured('export', state, join(dir, 'bundle'));
        rmSync(join(dir, 'bundle'), { recursive: true });
        return run;
      });
      rows.push(...rowsOf('export a bundle, verified on the way', size, exports));
      rmSync(state, { recursive: true });
    }
    return await Promise.resolve(rows);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const { argv } = process;
  console.table(await benchVerify({ smoke: argv.includes('--smoke'), large: argv.includes('--large') }));
}
