// `npm run bench`: one table of what is measured, on which machine, and bench/results.json. `--smoke`: tiny sizes, only to
// show that every bench still runs; nothing is written then. `--only NAME` runs one part; `--large` adds the sizes that
// take minutes.
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BenchRow } from './bench-row.ts';

const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const smoke = values.smoke;

/** Each part is loaded on its own, so that one does not warm up another. */
const PARTS: Readonly<Record<string, () => Promise<BenchRow[]>>> = {
  append: async () => (await import('./append.ts')).benchAppend({ smoke }),
  checks: async () => (await import('./checks.ts')).benchChecks({ smoke }),
  daemon: async () => {
    const { benchDaemon, FULL, SMOKE } = await import('./daemon.ts');
    return benchDaemon(smoke ? SMOKE : FULL);
  },
  drain: async () => (await import('./drain.ts')).benchDrain({ smoke }),
  executor: async () => (await import('./executor.ts')).benchExecutor({ smoke }),
  healing: async () => (await import('./healing.ts')).benchHealing({ smoke }),
  orders: async () => (await import('./orders.ts')).benchOrders({ smoke }),
  proofs: async () => (await import('./proofs.ts')).benchProofs({ smoke }),
  prune: async () => (await import('./prune.ts')).benchPrune({ smoke }),
  rules: async () => (await import('./rules.ts')).benchRules({ smoke }),
  targets: async () => (await import('./targets.ts')).benchTargets({ smoke }),
  verify: async () => (await import('./verify.ts')).benchVerify({ smoke, large: values.large }),
  central: async () => (await import('./central.ts')).benchCentral({ smoke }),
  winrm: async () => (await import('./winrm.ts')).benchWinRm({ smoke }),
  'evidence-store': async () => (await import('./evidence-store.ts')).benchEvidenceStore({ smoke }),
};

const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memory_gib: Math.round(totalmem() / 1_073_741_824),
  kernel: release(),
  node: process.version,
  sqlite: process.versions['sqlite'] ?? 'unknown',
};

const names = values.only === undefined ? Object.keys(PARTS) : [values.only];
const results: Record<string, BenchRow[]> = {};
process.stdout.write(`${machine.cpu}, ${machine.cores} cores, kernel ${machine.kernel}, Node ${machine.node}\n\n`);
for (const name of names) {
  const part = PARTS[name];
  if (part === undefined) throw new Error(`no such part: ${name}; there are ${Object.keys(PARTS).join(', ')}`);
  results[name] = await part();
  for (const row of results[name]) process.stdout.write(`${line(row)}\n`);
}
if (!smoke && values.only === undefined) {
  const file = join(import.meta.dirname, 'results.json');
  writeFileSync(file, `${JSON.stringify({ machine, results }, null, 2)}\n`);
}

function line(row: BenchRow): string {
  const value = `${figure(row.value)} ${row.unit}`.padStart(20);
  const spread = row.runs > 1 ? `spread ${figure(row.spread)} over ${row.runs} runs` : '';
  const ratio = row.ratio === undefined ? '' : `  = ${row.ratio.toFixed(2)} of ${row.against ?? '?'}`;
  return `${row.name.padEnd(62)} ${value}  ${spread}${ratio}`;
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
