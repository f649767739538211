// Records what every probe reads on the system that it runs on, as test/fixtures/recorded/<name>.json. Everything is the output of
// a command, so that somebody else can run it again. How to boot a system for it: test/fixtures/recorded/README.md.
// Usage, as root and in a network namespace of its own: node tools/record-fixtures.ts NAME
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { ProbeContext } from '../agent/facts/probe.ts';
import { PROBES, type ProbeName } from '../agent/facts/probes.ts';
import { readFact } from '../agent/facts/read-facts.ts';
import { runJob } from '../agent/facts/jobs.ts';
import { systemClock } from '../agent/system/clock.ts';
import { createExec } from '../agent/system/exec.ts';
import type { Exec, ExecResult } from '../agent/system/ports.ts';

/** Where everything lies that is made for the recording; the same on every system, so that no path says where it was made. */
const LAB = '/var/lib/recorded-system';
const DEADLINE_MS = 60_000;
const CLAMD = 'clamav-daemon.service';

interface Capture {
  readonly probe: ProbeName;
  readonly command: readonly string[];
  /** First line of what the tool says about its version. */
  readonly tool: string;
  readonly status: ExecResult['status'];
  readonly code: number | null;
  /** UTF-8 text, or base64 of the gzipped bytes where it is none. */
  readonly stdout: string;
  readonly encoding: 'utf8' | 'gzip';
  readonly stderr: string;
  /** SHA-256 of the bytes on stdout. */
  readonly sha256: string;
}

const [name] = process.argv.slice(2);
if (name === undefined || !/^[a-z0-9-]{1,40}$/.test(name)) throw new Error('usage: record-fixtures.ts NAME');
if (process.getuid?.() !== 0) throw new Error('recording needs root: the facts for root are among them');

const outer = createExec();
const captures: Capture[] = [];
const versions = new Map<string, string>();

async function versionOf(tool: string): Promise<string> {
  const known = versions.get(tool);
  if (known !== undefined) return known;
  const argument = tool === 'restic' ? 'version' : '--version';
  const { status, stdout } = await outer.run([tool, argument], { deadlineMs: DEADLINE_MS });
  const line = status === 'exited' ? (stdout.toString('utf8').split('\n')[0] ?? '').trim() : 'not installed';
  versions.set(tool, line);
  return line;
}

async function keep(probe: ProbeName, command: readonly string[], result: ExecResult): Promise<void> {
  const text = result.stdout.toString('utf8');
  const isText = Buffer.from(text, 'utf8').equals(result.stdout) && !text.includes('\0');
  captures.push({
    probe,
    command,
    tool: await versionOf(command[0] ?? ''),
    status: result.status,
    code: result.code,
    stdout: isText ? text : gzipSync(result.stdout).toString('base64'),
    encoding: isText ? 'utf8' : 'gzip',
    stderr: result.stderr.toString('utf8'),
    sha256: createHash('sha256').update(result.stdout).digest('hex'),
  });
}

/** A port that keeps what the probe asks for. */
const recording = (probe: ProbeName): Exec => ({
  async run(argv, options) {
    const result = await outer.run(argv, options);
    await keep(probe, argv, result);
    return result;
  },
});

async function look(probe: ProbeName, ...argv: [string, ...string[]]): Promise<ExecResult> {
  return recording(probe).run(argv, { deadlineMs: DEADLINE_MS });
}
/** What stands in a file, where there is one. */
async function file(probe: ProbeName, path: string): Promise<void> {
  if (existsSync(path)) await look(probe, 'cat', path);
}

/** Made for the recording; nothing of it is kept. */
async function prepare(...argv: [string, ...string[]]): Promise<void> {
  const result = await outer.run(argv, { deadlineMs: DEADLINE_MS, env: RESTIC });
  if (result.status !== 'exited' || result.code !== 0)
    throw new Error(`${argv.join(' ')}: ${result.stderr.toString()}`);
}

const at = (path: string): string => join(LAB, path);
const RESTIC = { RESTIC_REPOSITORY: at('repository'), RESTIC_PASSWORD_FILE: at('password'), HOME: LAB };

rmSync(LAB, { recursive: true, force: true });
mkdirSync(at('state'), { recursive: true });
mkdirSync(at('source'));
mkdirSync(at('signatures'));
writeFileSync(at('source/file'), 'backed up\n');
writeFileSync(at('password'), 'of the recording\n', { mode: 0o600 });
writeFileSync(at('repository-file'), `${RESTIC.RESTIC_REPOSITORY}\n`);

const context = (probe: ProbeName): ProbeContext => ({
  exec: recording(probe),
  clock: systemClock,
  stateDir: at('state'),
  tmpDir: LAB,
  keyFiles: [],
  pid: process.pid,
  deadlineMs: DEADLINE_MS,
  skewMs: 0,
  databaseCheck: 'ok',
  watch: {
    backup: {
      repositoryFile: at('repository-file'),
      passwordFile: at('password'),
      host: null,
      paths: [],
      readDataPercent: 100,
      restorePath: at('source'),
    },
    avEdr: {
      unit: CLAMD,
      binary: '/usr/sbin/clamd',
      databaseDir: null,
      scanUnit: 'apt-daily.service',
      configFile: '/etc/clamav/clamd.conf',
    },
    logging: { forwarder: null },
  },
});

async function probe(which: ProbeName): Promise<void> {
  const fact = await readFact<unknown>(PROBES[which], context(which));
  const said = fact.status === 'read' ? '' : ` ${fact.reason}: ${fact.detail}`;
  console.error(`${which}: ${fact.status}${said}`);
}

// Clock, sockets, updates: as they are.
await probe('clock');
await probe('listeners');
for (const table of ['tcp', 'tcp6', 'udp', 'udp6']) await file('listeners', `/proc/self/net/${table}`);
await file('listeners', '/proc/sys/net/ipv4/ip_local_port_range');
await probe('patching');
await file('patching', '/proc/sys/kernel/osrelease');

// The file systems, and what df makes of the same numbers.
await file('disk', '/proc/self/mountinfo');
await look('disk', 'stat', '--file-system', '--format=%S %b %f %a %c %d', '/');
await look('disk', 'df', '--output=pcent,ipcent', '/');

// Volumes, and a header that this system's cryptsetup makes.
await file('encryption', '/proc/self/mountinfo');
await file('encryption', '/proc/swaps');
const numbers = new Set(readFileSync('/proc/self/mountinfo', 'utf8').match(/(?<=^\d+ \d+ )[1-9]\d*:\d+/gm) ?? []);
for (const number of numbers) {
  await look('encryption', 'readlink', '-f', `/sys/dev/block/${number}`);
  await look('encryption', 'ls', `/sys/dev/block/${number}/slaves`);
}
await prepare('truncate', '--size=32M', at('volume'));
writeFileSync(at('volume-key'), randomBytes(64));
const format = [
  'luksFormat',
  '--batch-mode',
  '--type',
  'luks2',
  '--pbkdf',
  'pbkdf2',
  '--pbkdf-force-iterations',
  '1000',
];
await prepare('cryptsetup', ...format, '--key-file', at('volume-key'), at('volume'));
await look('encryption', 'head', '--bytes=16384', at('volume'));
await look('encryption', 'cryptsetup', 'luksDump', at('volume'));

// A ruleset as the appliance has one.
await prepare('nft', '-f', join(import.meta.dirname, '../test/fixtures/facts/nft/egress.nft'));
await file('firewall', '/proc/self/status');
await probe('firewall');

// This process.
for (const name_ of ['status', 'limits', 'net/tcp', 'net/tcp6', 'net/udp', 'net/udp6']) {
  await file('self', `/proc/${process.pid}/${name_}`);
}

// A repository with one snapshot, and what the long jobs prove about it.
await prepare('restic', 'init');
await prepare('restic', 'backup', '--host', 'recorded', at('source'));
for (const job of ['backup-check', 'backup-restore-test'] as const) {
  await runJob(job, { ...context('backup'), exec: outer });
  await file('backup', at(`state/jobs/${job}.json`));
}
await probe('backup');

// The log, with a canary in it.
await runJob('logging-canary', { ...context('logging'), exec: outer });
await file('logging', at('state/jobs/logging-canary.json'));
await probe('logging');
await file('logging', '/etc/machine-id');
const machineId = existsSync('/etc/machine-id') ? readFileSync('/etc/machine-id', 'utf8').trim() : '';
for (const dir of ['/run/log/journal', '/var/log/journal']) {
  if (existsSync(join(dir, machineId))) await look('logging', 'ls', join(dir, machineId));
}

// ClamAV's service, with one signature of our own: its databases cannot be had without its mirrors.
if (existsSync('/usr/sbin/clamd') && existsSync('/run/systemd/system')) {
  writeFileSync(at('signatures/own.hdb'), `${'0'.repeat(32)}:1:Recorded.Test\n`);
  const unit = `/run/systemd/system/${CLAMD}.d`;
  mkdirSync(unit, { recursive: true });
  writeFileSync(join(unit, 'recorded.conf'), '[Unit]\nConditionPathExistsGlob=\n');
  writeFileSync('/etc/clamav/clamd.conf', `${readFileSync('/etc/clamav/clamd.conf', 'utf8')}\nExcludePath ^/proc/\n`);
  await prepare('sed', '-i', `s|^DatabaseDirectory.*|DatabaseDirectory ${at('signatures')}|`, '/etc/clamav/clamd.conf');
  await prepare('systemctl', 'daemon-reload');
  await prepare('systemctl', 'start', CLAMD);
  // clamd is up when its socket is.
  for (let n = 0; n < 100 && !existsSync('/run/clamav/clamd.ctl'); n++) await delay(100);
}
await probe('av_edr');
await file('av_edr', '/etc/clamav/clamd.conf');

const osRelease = readFileSync('/etc/os-release', 'utf8');
const field = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)`, 'm').exec(osRelease)?.[1] ?? '';
const document = {
  schema: 'compliance-agent/recorded-system/v1',
  origin: {
    system: name,
    os_release: { id: field('ID'), version_id: field('VERSION_ID'), pretty_name: field('PRETTY_NAME') },
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    booted: existsSync('/run/systemd/container')
      ? 'systemd-nspawn'
      : existsSync('/run/systemd/system')
        ? 'systemd'
        : 'no systemd',
    recorded_at: new Date().toISOString(),
    pid: process.pid,
  },
  captures,
};
rmSync(LAB, { recursive: true, force: true });
console.log(JSON.stringify(document, null, 2));
