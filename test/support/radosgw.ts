// A real object store with Object Lock for tests: Ceph's radosgw over one monitor and one in-memory OSD, each a process of its own
// on loopback, in a temporary folder. Or the one that the environment names (S3_TEST_ENDPOINT), for MinIO, AWS and others.
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../../tools/demo/process.ts';

const PROGRAMS = ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'];
/** It takes 13 s on two idle cores, and a minute on busy ones. */
const START_MS = 120_000;
/** Of the whole, and of its OSD alone. */
const STARTS = 3;
/** Below the ports that outgoing connections get, so that none of them takes one before it is bound. */
const LOWEST_PORT = 20_000;
const PORTS = 12_000;
const COMMAND_MS = 60_000;
/** What all evidence of a test run takes, many times over; kept in memory as it is used. */
const DISK_BYTES = 4 * 1024 * 1024 * 1024;

export interface S3Access {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3Server extends S3Access {
  /** What the AWS SDK reads. */
  readonly env: Readonly<Record<string, string>>;
  end(): Promise<void>;
}

/** Why there is no object store to test against, or null. */
export function whyNoS3(): string | null {
  if (process.env['S3_TEST_ENDPOINT'] !== undefined) return null;
  const missing = PROGRAMS.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  return missing.length === 0 ? null : `needs ${missing.join(', ')} (or S3_TEST_ENDPOINT)`;
}

/** The store of the environment, or a new radosgw. */
export async function startS3(): Promise<S3Server> {
  const { S3_TEST_ENDPOINT: endpoint, S3_TEST_REGION: region, ...env } = process.env;
  if (endpoint === undefined) {
    for (let start = 1; start < STARTS; start++) {
      const started = await startRadosgw().catch((error: unknown) => void process.stderr.write(`${String(error)}\n`));
      if (started !== undefined) return started;
    }
    return await startRadosgw();
  }
  const [accessKeyId, secretAccessKey] = [env['S3_TEST_ACCESS_KEY_ID'], env['S3_TEST_SECRET_ACCESS_KEY']];
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new Error('S3_TEST_ENDPOINT needs S3_TEST_ACCESS_KEY_ID and S3_TEST_SECRET_ACCESS_KEY');
  }
  const access = { endpoint, region: region ?? 'us-east-1', accessKeyId, secretAccessKey };
  return { ...access, env: environmentOf(access), end: async () => {} };
}

const environmentOf = (access: S3Access): Record<string, string> => ({
  AWS_ACCESS_KEY_ID: access.accessKeyId,
  AWS_SECRET_ACCESS_KEY: access.secretAccessKey,
  // Else a missing variable would be looked for on this machine and its network.
  AWS_EC2_METADATA_DISABLED: 'true',
});

async function startRadosgw(): Promise<S3Server> {
  const dir = mkdtempSync(join(tmpdir(), 'radosgw-'));
  const children: ChildProcess[] = [];
  // A test run that is ended leaves nothing running.
  const endAll = (): void => void children.map((child) => child.kill('SIGKILL'));
  process.once('exit', endAll);
  const end = async (): Promise<void> => {
    // Nothing of it is kept, so nothing has to be written.
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    process.off('exit', endAll);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const [monPort, port] = await freePorts(2);
    const conf = join(dir, 'ceph.conf');
    const fsid = randomUUID();
    writeFileSync(conf, configuration(dir, fsid, monPort as number, port as number));
    const run = async (program: string, ...args: string[]): Promise<string> =>
      (await promisify(execFile)(program, ['-c', conf, ...args], { timeout: COMMAND_MS })).stdout;
    const start = (program: string, ...args: string[]): ChildProcess => {
      const child = spawn(program, ['-c', conf, ...args, '-f'], { stdio: 'ignore' });
      children.push(child);
      return child;
    };
    /** An OSD that asks before it has been told the id of its cluster is refused ("wrong fsid"), and ends. */
    const startOsd = (again: number): void => {
      start('ceph-osd', '-i', '0').once('exit', (code) => {
        if (code !== null && again > 0) startOsd(again - 1);
      });
    };
    const logs = (): string =>
      ['mon.a', 'osd.0', 'client.rgw'].map((name) => readLog(join(dir, `${name}.log`))).join('\n');

    const map = join(dir, 'monmap');
    for (const name of ['mon', 'osd']) mkdirSync(join(dir, name));
    await run('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', `[v1:127.0.0.1:${monPort}]`, map);
    await run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map);
    start('ceph-mon', '-i', 'a');
    // Waits for the monitor by itself.
    await run('ceph', 'osd', 'create');
    await run('ceph-osd', '-i', '0', '--mkfs');
    startOsd(STARTS);
    start('radosgw', '-n', 'client.rgw');
    const endpoint = `http://127.0.0.1:${port}`;
    const answers = (): Promise<true | null> =>
      fetch(endpoint).then(
        () => true as const,
        () => null,
      );
    await until('radosgw answers', answers, START_MS, logs);
    const access: S3Access = {
      endpoint,
      region: 'us-east-1',
      accessKeyId: randomBytes(10).toString('hex'),
      secretAccessKey: randomBytes(20).toString('hex'),
    };
    const keys = ['--access-key', access.accessKeyId, '--secret-key', access.secretAccessKey];
    await run(
      'radosgw-admin',
      '-n',
      'client.rgw',
      'user',
      'create',
      '--uid',
      'test',
      '--display-name',
      'test',
      ...keys,
    );
    return { ...access, env: environmentOf(access), end };
  } catch (error) {
    await end();
    throw error;
  }
}

function configuration(dir: string, fsid: string, monPort: number, port: number): string {
  const lines = [
    '[global]',
    `fsid = ${fsid}`,
    `mon host = v1:127.0.0.1:${monPort}/0`,
    'mon initial members = a',
    'auth cluster required = none',
    'auth service required = none',
    'auth client required = none',
    'osd pool default size = 1',
    'osd pool default min size = 1',
    'osd pool default pg num = 8',
    'osd pool default pgp num = 8',
    'osd pool default pg autoscale mode = off',
    'osd crush chooseleaf type = 0',
    'osd objectstore = memstore',
    `memstore device bytes = ${DISK_BYTES}`,
    'mon allow pool size one = true',
    // The disk of the machine is not its store.
    'mon data avail crit = 1',
    'mon data avail warn = 2',
    `run dir = ${dir}`,
    `log file = ${dir}/$name.log`,
    `admin socket = ${dir}/$name.$pid.asok`,
    'pid file = ',
    'public addr = 127.0.0.1',
    'cluster addr = 127.0.0.1',
    'ms bind ipv6 = false',
    `mon data = ${dir}/mon`,
    `osd data = ${dir}/osd`,
    '[client.rgw]',
    `rgw frontends = beast endpoint=127.0.0.1:${port}`,
    `rgw data = ${dir}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** The monitor's address is part of its map, so a port has to be known before it starts. */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = LOWEST_PORT + randomInt(PORTS);
    const server = createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.close();
    if (free && !ports.includes(port)) ports.push(port);
  }
  return ports;
}

function readLog(path: string): string {
  try {
    return readFileSync(path, 'utf8').slice(-2_000);
  } catch {
    return '(no log)';
  }
}
