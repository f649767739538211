// The check of the agent itself on real processes: each is Node as the unit would start it, one thing changed. That the unit
// itself passes is in appliance-service.test.ts.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProbeContext } from '../../agent/facts/probe.ts';
import { readFacts } from '../../agent/facts/read-facts.ts';
import { systemClock } from '../../agent/system/clock.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { live } from '../support/check-rows.ts';
import { probeContext } from '../support/fixture-facts.ts';
import { judgeLive } from '../support/judge-live.ts';

const NOBODY = 65_534;
const PROCESS = live(`process of Node ${process.version}`);
const problem =
  process.getuid?.() !== 0
    ? 'needs root to start a process of another user'
    : spawnSync('setpriv', ['--version']).status !== 0 || spawnSync('prlimit', ['--version']).status !== 0
      ? 'needs setpriv and prlimit'
      : null;

const UNPRIVILEGED = [
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  '--clear-groups',
  '--bounding-set=-all',
  '--inh-caps=-all',
];
const WAIT = "console.log('up'); setInterval(() => {}, 1e6)";

let dir: string;
let key: string;
let children: ChildProcess[];
beforeEach((context) => {
  context.skip(problem !== null, problem ?? '');
  dir = mkdtempSync(join(tmpdir(), 'self-'));
  chmodSync(dir, 0o755);
  key = join(dir, 'device.key');
  writeFileSync(key, 'secret', { mode: 0o600 });
  chownSync(key, NOBODY, NOBODY);
  children = [];
});
afterEach(async () => {
  for (const child of children ?? []) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

interface Start {
  readonly code?: string;
  readonly privileges?: readonly string[];
  readonly node?: readonly string[];
  readonly core?: string;
}

/** Hardened as the unit is, but for the filter of system calls, which only the service manager sets. */
async function start(o: Start = {}): Promise<number> {
  const privileges = o.privileges ?? [...UNPRIVILEGED, '--no-new-privs'];
  const node = [process.execPath, ...(o.node ?? ['--disable-sigusr1']), '-e', o.code ?? WAIT];
  const argv = ['prlimit', `--core=${o.core ?? '0:0'}`, 'setpriv', ...privileges, '--', ...node];
  const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout ?? child, 'data');
  return child.pid ?? 0;
}

const withoutFilter = (yaml: string): string =>
  yaml.replace('seccomp_filter_required: true', 'seccomp_filter_required: false');

async function judge(pid: number, change: Partial<ProbeContext> = {}, edit = withoutFilter): Promise<Finding> {
  const context = probeContext({
    clock: systemClock,
    procDir: '/proc',
    pid,
    keyFiles: [key],
    databaseCheck: 'ok',
    ...change,
  });
  return judgeLive('self', await readFacts(['self'], context), PROCESS, edit);
}

describe('the check of the agent itself on real processes', () => {
  it('passes an unprivileged process that listens on nothing, where no filter of system calls is declared', async () => {
    expect(await judge(await start())).toMatchObject({
      result: 'pass',
      facts: { runs_as_root: false, has_capabilities: false, no_new_privileges: true, core_dumps: false },
    });
  });

  it('a process that listens is a critical fail', async () => {
    const code = `require('net').createServer().listen(0, '127.0.0.1', () => { ${WAIT} })`;
    expect(await judge(await start({ code }))).toMatchObject({ result: 'fail', severity: 'critical' });
  });

  it.each<[string, Start, (yaml: string) => string, object]>([
    ['without the filter of system calls', {}, (yaml) => yaml, { seccomp_filter: false }],
    ['that may gain privileges', { privileges: UNPRIVILEGED }, withoutFilter, { no_new_privileges: false }],
    ['that runs as root with capabilities', { privileges: ['--no-new-privs'] }, withoutFilter, { runs_as_root: true }],
    ['that opens a debugger at a signal', { node: [] }, withoutFilter, { debugger_signal: true }],
    ['that may leave a core dump', { core: '0:unlimited' }, withoutFilter, { core_dumps: true }],
  ])('a process %s is a fail', async (_what, o, edit, facts) => {
    if (o.privileges?.length === 1) chownSync(key, 0, 0);
    expect(await judge(await start(o), {}, edit)).toMatchObject({ result: 'fail', severity: 'high', facts });
  });

  it('a key that others can read, one that is gone and a damaged database are critical fails', async () => {
    const pid = await start();
    chmodSync(key, 0o644);
    expect(await judge(pid)).toMatchObject({ result: 'fail', severity: 'critical', facts: { key_files_exposed: 1 } });
    rmSync(key);
    expect(await judge(pid)).toMatchObject({ result: 'fail', severity: 'critical', facts: { key_files_missing: 1 } });
    const said = 'row 7 missing from index';
    expect(await judge(pid, { keyFiles: [], databaseCheck: said })).toMatchObject({
      result: 'fail',
      severity: 'critical',
      facts: { database: 'damaged' },
    });
  });

  it('a process that is gone and a database that nobody checked are unknown', async () => {
    const pid = await start();
    expect(await judge(pid, { databaseCheck: null })).toMatchObject({ result: 'unknown' });
    const child = children.pop();
    child?.kill('SIGKILL');
    if (child !== undefined) await once(child, 'exit');
    expect(await judge(pid)).toMatchObject({ result: 'unknown' });
  });
});
