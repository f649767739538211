// A site whose every part can be made to fail: real Central Command behind a proxy, real disk, real packet filter, names, tools,
// clocks. Runs in mount and network namespaces of its own (test/fixtures/programs/simulate-a-day.ts).
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { firewallProbe } from '../../../agent/facts/firewall.ts';
import { systemClock } from '../../../agent/system/clock.ts';
import { createExec } from '../../../agent/system/exec.ts';
import { createSite, PARTNER, type Site } from '../../../tools/demo/site.ts';
import { serverIdentity } from '../impostor.ts';
import { createLoopDisk } from '../loop-disk.ts';
import { makeTestCa, type IssuedCertificate } from '../test-ca.ts';
import { createDaemonHandle, type DaemonHandle } from './daemon-handle.ts';
import { startFaultProxy } from './fault-proxy.ts';
import type { Day } from './faults.ts';
import { livesByFile, openWallFile } from './wall-file.ts';

const REPO = join(import.meta.dirname, '../../..');
const NAME = 'central.day.test';
/** Free: the network namespace is our own. */
const CENTRAL_PORT = 8_443;
const DISK_MIB = 64;
/** Few, so that they can be used up within a second. */
const INODES = 2_048;
const TABLE =
  'table inet simulated {\n chain input { type filter hook input priority 0; policy accept; tcp dport 9 drop; }\n}\n';
/** Nothing listens there: a question gets an ICMP error at once. */
const DEAD_NAME_SERVER = 'nameserver 127.0.0.1\noptions attempts:1 timeout:1\n';

export interface Surroundings extends Day {
  readonly site: Site;
  readonly daemon: DaemonHandle;
  close(): Promise<void>;
}

export async function makeSurroundings(): Promise<Surroundings> {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  execFileSync('nft', ['-f', '-'], { input: TABLE });
  const dir = mkdtempSync(join(tmpdir(), 'day-'));
  const disk = createLoopDisk(DISK_MIB, INODES);
  const tools = join(dir, 'tools');
  mkdirSync(tools);
  symlinkSync('/usr/sbin/nft', join(tools, 'nft'));
  const names = join(dir, 'hosts');
  const setNames = (does: boolean): void => writeFileSync(names, does ? `127.0.0.1 localhost ${NAME}\n` : '');
  setNames(true);
  writeFileSync(join(dir, 'resolv.conf'), DEAD_NAME_SERVER);
  execFileSync('mount', ['--bind', names, '/etc/hosts']);
  execFileSync('mount', ['--bind', join(dir, 'resolv.conf'), '/etc/resolv.conf']);

  const startMs = Date.now();
  const walls = { ownWall: join(dir, 'own-wall'), centralWall: join(dir, 'central-wall') };
  for (const path of Object.values(walls)) {
    const wall = openWallFile(path);
    wall.set(startMs / 1_000);
    wall.close();
  }
  const proxy = await startFaultProxy();
  const siteDir = join(dir, 'site');
  mkdirSync(siteDir);
  symlinkSync(disk.path, join(siteDir, 'state'));
  const site = createSite({
    dir: siteDir,
    repo: REPO,
    serve: [
      ...['--checkin-interval', '60', '--claim-interval', '5', '--url', `https://${NAME}:${proxy.port}`],
      ...['--listen', `127.0.0.1:${CENTRAL_PORT}`],
    ],
    centralEnv: livesByFile(walls.centralWall),
  });
  await site.provision();
  const baseline = join(dir, 'baseline.yaml');
  writeFileSync(baseline, await baselineText(disk.path));
  writeFileSync(site.paths.config, configText(site, `https://${NAME}:${proxy.port}`, baseline));
  const daemon = createDaemonHandle({ config: site.paths.config, tools, walls, wallMs: startMs });

  const html: RequestListener = (_request, response) =>
    void response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Welcome</body></html>');
  const half: RequestListener = (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/vnd.dsse+json', 'content-length': '5000' });
    response.write('{"payload":"', () => response.destroy());
  };
  const own = await serverIdentity(site, { host: NAME });
  const foreign = await (await makeTestCa()).issueServer({ names: [NAME] });
  const ports = {
    html: await serve(own, html),
    half: await serve(own, half),
    otherCa: await serve(foreign, html),
  };
  let lock: Database.Database | null = null;
  const network: Surroundings['network'] = (mode, o) => proxy.set(mode === 'central' ? { to: CENTRAL_PORT } : mode, o);
  await network('central');
  const fillers = join(disk.path, 'fillers');
  mkdirSync(fillers);

  return {
    site,
    daemon,
    ports,
    tools,
    network,
    stopCentral: () => site.endCentral('SIGKILL'),
    startCentral: () => site.startCentral(),
    async resolvesCentral(does) {
      setNames(does);
      // So that a name is asked for again.
      await network(does ? 'central' : 'reset');
    },
    disk: {
      fill: () => useUp(fillers, 65_536),
      useUpInodes: () => useUp(fillers, 0),
      free: () => {
        rmSync(fillers, { recursive: true });
        mkdirSync(fillers);
      },
      fail: () => disk.failUnderWriters(),
      repair: () => disk.remount(),
      lock: () => {
        lock = new Database(join(site.paths.state, 'agent.db'));
        lock.exec('BEGIN IMMEDIATE');
      },
      unlock: () => lock?.close(),
    },
    stepClock: (seconds) => daemon.stepClock(seconds * 1_000),
    kill: (signal) => daemon.end(signal),
    start: () => daemon.start(),
    async close() {
      await daemon.end('SIGKILL');
      await site.end();
      await proxy.close();
      lock?.close();
      disk.destroy();
      for (const path of ['/etc/hosts', '/etc/resolv.conf']) execFileSync('umount', [path]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Writes files of `bytes` until there is no room for one, then smaller ones. */
function useUp(dir: string, bytes: number): void {
  for (let n = 0, size = bytes; ; n += 1) {
    try {
      writeFileSync(join(dir, String(n)), Buffer.alloc(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      if (size < 512) return;
      size = Math.floor(size / 2);
    }
  }
}

async function serve(identity: IssuedCertificate, listener: RequestListener): Promise<number> {
  const server = createServer({ cert: identity.certPem, key: identity.keyPem }, listener);
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Declares the table that is loaded, so that the check passes exactly where its tool could read it. */
async function baselineText(stateDir: string): Promise<string> {
  const context = {
    exec: createExec(),
    clock: systemClock,
    stateDir,
    keyFiles: [],
    pid: process.pid,
    deadlineMs: 10_000,
  };
  const { tables } = await firewallProbe.read(context);
  const [table] = tables;
  const volume = { used_percent: 95, critical_percent: 99, free_mib: 1, refused_file_systems: [] };
  const none = (what: string): object => ({ expected: 'none', reason: `nobody has declared ${what} for this machine` });
  return JSON.stringify({
    schema: 'compliance-agent/baseline/v1',
    id: 'day',
    version: 1,
    title: 'A machine on which a day of faults is simulated',
    checks: {
      clock: { expected: 'declared', ntp_required: false, offset_ms: 5_000, skew_ms: 5_000 },
      disk: { expected: 'declared', state: volume, root: volume },
      firewall: {
        expected: 'declared',
        default_policy: { input: 'any', output: 'any', forward: 'any' },
        tables: [{ family: 'inet', name: 'simulated', sha256: table?.sha256 ?? 'none' }],
        undeclared_tables: 'fail',
        listeners: 'any',
      },
      self: {
        expected: 'declared',
        listeners: [],
        root_allowed: true,
        capabilities_allowed: true,
        core_dumps_allowed: true,
        debugger_signal_allowed: false,
        no_new_privileges_required: false,
        seccomp_filter_required: false,
      },
      av_edr: none('protection against malware'),
      backup: none('a backup'),
      encryption: none('an encryption'),
      logging: none('a log'),
      patching: none('patches'),
    },
  });
}

/** The intervals that ship, except that checks run each minute: a fault lasts minutes. */
const configText = (site: Site, url: string, baseline: string): string =>
  [
    'mode: reseller',
    `reseller_id: ${PARTNER}`,
    `state_dir: ${site.paths.state}`,
    `provision_dir: ${site.paths.provision}`,
    `central_url: ${url}`,
    `baseline_path: ${baseline}`,
    'checks_interval_s: 60',
    '',
  ].join('\n');
