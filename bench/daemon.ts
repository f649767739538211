// The daemon as it runs on an appliance: the installed tree and its launcher, real Central Command on the same host. Memory at rest, start to the
// first answer, and what one idle check-in costs.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '../agent/store/open-store.ts';
import { systemClock } from '../agent/system/clock.ts';
import { start, until } from '../tools/demo/process.ts';
import type { Running } from '../tools/demo/process.ts';
import { createSite } from '../tools/demo/site.ts';
import type { Site } from '../tools/demo/site.ts';
import { installTree } from '../tools/install-tree.ts';
import type { BenchRow } from './bench-row.ts';
import { rowOf } from './bench-row.ts';

const repo = join(import.meta.dirname, '..');
const MIB = 1_048_576;
/** Of /proc/PID/stat. */
const TICKS_PER_S = 100;

export interface DaemonSizes {
  readonly starts: number;
  readonly checkins: number;
  /** Rest before memory is read. */
  readonly restMs: number;
}

export const FULL: DaemonSizes = { starts: 7, checkins: 60, restMs: 45_000 };
export const SMOKE: DaemonSizes = { starts: 2, checkins: 5, restMs: 3_000 };

export async function benchDaemon(sizes: DaemonSizes = FULL): Promise<BenchRow[]> {
  const dir = mkdtempSync(join(tmpdir(), 'bench-daemon-'));
  const site = createSite({ dir, repo });
  try {
    const built = join(dir, 'build');
    installTree(process.execPath, join(repo, 'node_modules'), built);
    await site.provision();
    site.startAgent();
    await site.confirm();
    await site.endAgent('SIGTERM');
    const argv = (config: string): [string, ...string[]] => [
      join(built, 'bin/compliance-agent'),
      ...['run', '--config', config],
    ];
    return [
      ...(await starts(site, argv, sizes.starts)),
      ...(await idleCheckins(site, argv, sizes.checkins)),
      ...(await memory(site, argv, sizes.restMs)),
    ];
  } finally {
    await site.end();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Writes a configuration that differs from the site's in some keys (null: the product's default); its path. */
function variant(site: Site, name: string, keys: Readonly<Record<string, string | number | null>>): string {
  const path = join(site.paths.state, '..', `${name}.yaml`);
  const kept = readFileSync(site.paths.config, 'utf8')
    .split('\n')
    .filter((line) => !Object.keys(keys).some((key) => line.startsWith(`${key}:`)));
  writeFileSync(
    path,
    [...kept, ...Object.entries(keys).flatMap(([key, value]) => (value === null ? [] : [`${key}: ${value}`])), ''].join(
      '\n',
    ),
  );
  return path;
}

const answered = (agent: Running): true | null => (agent.output().includes('checked in') ? true : null);

async function starts(site: Site, argv: (config: string) => [string, ...string[]], runs: number): Promise<BenchRow[]> {
  const config = variant(site, 'start', { log_level: 'debug' });
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const began = performance.now();
    const agent = start(argv(config), { cwd: repo });
    await untilQuick(() => answered(agent));
    times.push(performance.now() - began);
    await agent.end('SIGTERM');
  }
  return [rowOf('start to first answer of Central Command', 'ms', times)];
}

async function idleCheckins(
  site: Site,
  argv: (config: string) => [string, ...string[]],
  checkins: number,
): Promise<BenchRow[]> {
  // Nothing but check-ins: checks and uploads are put off beyond the run.
  const quiet = { checks_interval_s: 86_400, upload_interval_s: 86_400, heartbeat_interval_s: 86_400 };
  const config = variant(site, 'idle', { ...quiet, log_level: 'debug' });
  const agent = start(argv(config), { cwd: repo });
  const count = (): number => agent.output().split('checked in').length - 1;
  await until('warm', () => (count() >= 3 ? true : null), 60_000);
  const before = { cpu: cpuSeconds(agent.pid), bytes: bytesOf(site), count: count() };
  await until('check-ins', () => (count() >= before.count + checkins ? true : null), checkins * 3_000 + 30_000);
  const after = { cpu: cpuSeconds(agent.pid), bytes: bytesOf(site), count: count() };
  await agent.end('SIGTERM');
  const n = after.count - before.count;
  return [
    rowOf('idle check-in, CPU of the whole daemon', 'ms', [((after.cpu - before.cpu) / n) * 1_000]),
    rowOf('idle check-in, bytes on the wire, both ways, with TLS', 'bytes', [(after.bytes - before.bytes) / n]),
  ];
}

/** With the product's own intervals, but for check-ins: this Central Command asks for one a second. */
async function memory(
  site: Site,
  argv: (config: string) => [string, ...string[]],
  restMs: number,
): Promise<BenchRow[]> {
  const config = variant(site, 'rest', {
    poll_interval_s: null,
    checks_interval_s: null,
    upload_interval_s: null,
    heartbeat_interval_s: null,
  });
  const agent = start(argv(config), { cwd: repo });
  await until('started', () => (agent.output().includes('started') ? true : null), 30_000);
  await sleep(restMs);
  const rollup = readFileSync(`/proc/${agent.pid}/smaps_rollup`, 'utf8');
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
  await agent.end('SIGTERM');
  return [
    rowOf('daemon at rest, RSS', 'MiB', [(kib('Rss') * 1_024) / MIB]),
    rowOf('daemon at rest, private', 'MiB', [((kib('Private_Clean') + kib('Private_Dirty')) * 1_024) / MIB]),
  ];
}

/** User and system time of a process so far. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

function bytesOf(site: Site): number {
  const store = openStore({ dir: site.paths.state, clock: systemClock, readOnly: true });
  const { sent, received } = store.uplink.bytes();
  store.close();
  return sent + received;
}

async function untilQuick(look: () => true | null): Promise<void> {
  const end = performance.now() + 30_000;
  while (look() === null) {
    if (performance.now() > end) throw new Error('no answer within 30 s');
    await sleep(2);
  }
}
