// What one round of checks costs: probes on this machine, judging, and a large ruleset at two sizes.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Check } from '../agent/checks/check.ts';
import { parseBaseline } from '../agent/checks/baseline.ts';
import { parseControlMap } from '../agent/checks/controls.ts';
import { judgeAll } from '../agent/checks/judge-all.ts';
import { CHECKS } from '../agent/checks/registry.ts';
import { watchOf } from '../agent/checks/watch.ts';
import { readRuleset } from '../agent/facts/normalise-ruleset.ts';
import { PROBE_DEADLINE_MS, type ProbeContext } from '../agent/facts/probe.ts';
import { PROBE_NAMES } from '../agent/facts/probes.ts';
import { readFacts } from '../agent/facts/read-facts.ts';
import type { Watch } from '../agent/facts/watch.ts';
import { systemClock } from '../agent/system/clock.ts';
import { createExec } from '../agent/system/exec.ts';
import { nixosTree } from '../test/support/nixos-tree.ts';
import { rowOf, type BenchRow } from './bench-row.ts';
import { cpuOf } from './cpu-of.ts';

const RUNBOOKS = join(import.meta.dirname, '../runbooks');
const RULES = 1_000;
const FACTOR = 10;
/** Some ask programs that take seconds. */
const EACH_RUNS = 5;

async function timed(runs: number, work: () => unknown): Promise<number[]> {
  // The first run also loads and compiles.
  await work();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times;
}

const DAY_S = 86_400;

/** A real repository with one snapshot, so that the check of backups asks restic and not only for a missing file. */
function repository(): { readonly watch: Watch; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), 'bench-backup-'));
  const path = (name: string): string => join(dir, name);
  mkdirSync(path('source'));
  writeFileSync(path('source/file'), 'backed up\n');
  writeFileSync(path('password'), 'of the bench\n', { mode: 0o600 });
  writeFileSync(path('location'), `${path('repository')}\n`);
  const env = { ...process.env, RESTIC_REPOSITORY: path('repository'), RESTIC_PASSWORD_FILE: path('password') };
  for (const words of [['init'], ['backup', path('source')]]) spawnSync('restic', ['--no-cache', ...words], { env });
  const backup = {
    repositoryFile: path('location'),
    passwordFile: path('password'),
    host: null,
    paths: [],
    readDataPercent: 100,
    restorePath: path('source'),
  };
  return { watch: { backup }, remove: () => rmSync(dir, { recursive: true }) };
}

/** What `nft -j list ruleset` prints for one chain with `rules` rules. */
function rulesetJson(rules: number): string {
  const table = { family: 'inet', table: 't' };
  const items: unknown[] = [
    { metainfo: { version: '1.0.6', json_schema_version: 1 } },
    { table: { family: 'inet', name: 't', handle: 1 } },
    { chain: { ...table, name: 'input', handle: 2, type: 'filter', hook: 'input', prio: 0, policy: 'drop' } },
  ];
  for (let n = 0; n < rules; n++) {
    const right = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
    const match = { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right };
    const expr = [{ match }, { counter: { packets: n, bytes: n * 60 } }, { accept: null }];
    items.push({ rule: { ...table, chain: 'input', handle: n + 3, expr } });
  }
  return JSON.stringify({ nftables: items });
}

function context(watch: Watch): ProbeContext {
  return {
    exec: createExec(),
    clock: systemClock,
    stateDir: '/',
    keyFiles: [],
    pid: process.pid,
    deadlineMs: PROBE_DEADLINE_MS,
    skewMs: 0,
    databaseCheck: 'ok',
    watch,
  };
}

export async function benchChecks(o: { readonly smoke?: boolean } = {}): Promise<BenchRow[]> {
  const runs = o.smoke === true ? 1 : 15;
  const path = join(RUNBOOKS, 'baselines/appliance.yaml');
  const maps = ['hipaa-2013', 'hipaa-nprm-2025'].map((id) => join(RUNBOOKS, `controls/${id}.yaml`));
  const baseline = parseBaseline(readFileSync(path), path);
  const controls = maps.map((map) => parseControlMap(readFileSync(map), map));
  const lab = repository();
  const watch: Watch = { ...watchOf(baseline), ...lab.watch };
  const facts = await readFacts(PROBE_NAMES, context(watch));
  const target = { id: 'appliance', role: 'appliance', os_build: null };
  const judge = (checks: readonly Check[] = CHECKS): unknown =>
    judgeAll({
      checks,
      facts,
      baseline,
      controls,
      waivers: [],
      now: facts.disk?.readAt ?? 0,
      target,
      baselineSigned: true,
    });
  const small = rulesetJson(o.smoke === true ? 10 : RULES);
  const large = rulesetJson(o.smoke === true ? 100 : RULES * FACTOR);
  const normaliseSmall = rowOf('normalise a ruleset of 1,000 rules', 'ms', await timed(runs, () => readRuleset(small)));
  const normaliseLarge = rowOf(
    'normalise a ruleset of 10,000 rules',
    'ms',
    await timed(runs, () => readRuleset(large)),
  );
  using nixos = nixosTree();
  const closure = nixos.system('bench-26.05', 'linux-6.12');
  nixos.run(closure, 1);
  nixos.boot(closure, 1);
  nixos.generation(1, closure, 1);
  nixos.setDefault(1);
  const each: BenchRow[] = [];
  const perDay: BenchRow[] = [];
  for (const check of CHECKS) {
    const work = async (): Promise<unknown> => (await readFacts(check.probes, context(watch)), judge([check]));
    const isRead = check.probes.every((probe) => facts[probe]?.status === 'read');
    const name = `check ${check.id}${isRead ? '' : ' (a fact is unreadable here)'}`;
    each.push(rowOf(`${name}: read and judge`, 'ms', await timed(Math.min(runs, EACH_RUNS), work)));
    const cpu = await cpuOf(Math.min(runs, EACH_RUNS), work);
    const day = `CPU of a day, that of one run with its programs × a run each ${check.cadenceS / 60} min`;
    perDay.push({ ...rowOf(`${name}: ${day}`, 's', [(cpu * DAY_S) / check.cadenceS]), runs: EACH_RUNS });
  }
  const sum = perDay.reduce((total, { value }) => total + value, 0);
  perDay.push({
    ...rowOf('all checks of the appliance: CPU of a day at their cadences, sum', 's', [sum]),
    runs: EACH_RUNS,
  });
  const together = await timed(runs, async () => (await readFacts(PROBE_NAMES, context(watch)), judge()));
  const onNixos = await timed(runs, async () => {
    const others = PROBE_NAMES.filter((name) => name !== 'patching');
    await Promise.all([
      readFacts(others, context(watch)),
      readFacts(['patching'], { ...context(watch), rootDir: nixos.dir }),
    ]);
    return judge();
  });
  lab.remove();
  return [
    ...each,
    rowOf('all checks of the appliance: read and judge', 'ms', together),
    rowOf('all checks, updates read from links as on NixOS and not from apt', 'ms', onNixos),
    ...perDay,
    rowOf('all checks of the appliance: judge only', 'ms', await timed(runs, () => judge())),
    normaliseSmall,
    {
      ...normaliseLarge,
      against: `${FACTOR} × ${normaliseSmall.name}`,
      ratio: normaliseLarge.value / (normaliseSmall.value * FACTOR),
    },
  ];
}
