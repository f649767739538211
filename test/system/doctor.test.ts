import { mkdirSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { createExec } from '../../agent/system/exec.ts';
import type { Exec } from '../../agent/system/ports.ts';
import { makePatient, type Examination, type Patient, type StepReport } from '../support/examine.ts';
import { namespaceProblem, openNetworkNamespace } from '../support/network-namespace.ts';
import { makeTestCa } from '../support/test-ca.ts';

const REPO = join(import.meta.dirname, '../..');
const SMALL_TOWN = join(REPO, 'test/fixtures/programs/small-town.ts');
/** What the doctor promises, from start to end of its process. */
const WHOLE_RUN_MS = 30_000;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** Runs the real program with a deadline of thirty seconds: one that is not over by then gives no report. */
async function examine(exec: Exec, patient: Patient, ...more: string[]) {
  const argv = [process.execPath, join(REPO, 'agent/main.ts'), 'doctor', '--config', patient.config, '--json', ...more];
  const { status, stdout } = await exec.run(argv as [string, ...string[]], { deadlineMs: WHOLE_RUN_MS });
  expect(status).toBe('exited');
  const { steps } = JSON.parse(stdout.toString()) as Examination['report'];
  const step = (id: string): StepReport => steps.find((one) => one.step === id)!;
  const codes = steps.flatMap((one) => one.problems.map((p) => p.code));
  return { step, codes: codes.filter((code) => code !== 'daemon_not_running') };
}

const problem = namespaceProblem('nft');

/** Packets to these addresses vanish, as they do behind a firewall or a dead router. */
const VOID = `table inet void {
  chain input {
    type filter hook input priority 0;
    ip6 daddr fd99::1 drop
    ip daddr { 10.99.0.77, 10.99.0.53 } drop
  }
}
`;

describe.skipIf(problem !== null)(`the doctor in networks of its own${problem === null ? '' : ` (${problem})`}`, () => {
  /** A namespace in which 10.99.0.1 answers, and what goes to the other addresses vanishes. */
  async function town(...addresses: string[]) {
    const ns = await openNetworkNamespace();
    ends.push(() => ns.close());
    for (const own of ['10.99.0.1', '10.99.0.77', '10.99.0.53', 'fd99::1']) {
      ns.run(['ip', 'address', 'add', own, 'dev', 'lo']);
    }
    ns.run(['nft', '-f', '-'], VOID);
    const ca = await makeTestCa();
    const patient = makePatient('https://central.test:8443', ca);
    ends.push(patient.remove);
    const { certPem, keyPem } = await ca.issueServer({ names: ['central.test'] });
    writeFileSync(join(patient.dir, 'cert.pem'), certPem);
    writeFileSync(join(patient.dir, 'key.pem'), keyPem);
    const program = ns.start([process.execPath, SMALL_TOWN, patient.dir, ...addresses]);
    const [line] = (await once(program.stdout as Readable, 'data')) as [Buffer];
    const { dns } = JSON.parse(line.toString()) as { dns: string };
    return { ns, patient, dns };
  }

  it('finds IPv6 packets that vanish while IPv4 works, and goes on to the answer of Central Command', async () => {
    const { ns, patient, dns } = await town('10.99.0.1', 'fd99::1');
    const { step, codes } = await examine(ns.exec, patient, '--resolver', dns);
    expect(codes).toEqual(['ipv6_broken']);
    expect(step('ipv6').sentence).toContain('packets vanish');
    expect(step('central').state).toBe('ok');
  });

  it('is content with a machine that has no IPv6 at all, although the name has an address there', async () => {
    const { ns, patient, dns } = await town('10.99.0.1', 'fd99::1');
    ns.run(['ip', 'address', 'del', 'fd99::1', 'dev', 'lo']);
    const { step, codes } = await examine(ns.exec, patient, '--resolver', dns);
    expect(codes).toEqual([]);
    expect(step('ipv6').sentence).toContain('has no IPv6');
  });

  it('tells packets that a firewall drops from a port at which nothing listens and from no way at all', async () => {
    const { ns, patient, dns } = await town('10.99.0.77');
    const dropped = await examine(ns.exec, patient, '--resolver', dns);
    expect(dropped.codes).toEqual(['connect_failed']);
    expect(dropped.step('tcp').sentence).toContain('dropped');
    expect(dropped.step('tls').needs).toEqual(['tcp']);
    ns.run(['ip', 'address', 'del', '10.99.0.77', 'dev', 'lo']);
    const nowhere = await examine(ns.exec, patient, '--resolver', dns);
    expect(nowhere.codes).toEqual(['connect_failed']);
    expect(nowhere.step('tcp').sentence).toContain('ENETUNREACH');
  });

  it('ends within thirty seconds where neither DNS nor anything else answers, by the ways of the system too', async () => {
    const { ns, patient } = await town('10.99.0.1');
    expect((await examine(ns.exec, patient, '--resolver', '10.99.0.53')).codes).toEqual(['dns_failed']);
    // The servers of this machine cannot be reached from in there.
    const { codes } = await examine(ns.exec, patient);
    expect(['dns_failed', 'dns_servers_missing']).toContain(codes[0]);
  });
});

const mountProblem =
  process.getuid?.() !== 0
    ? 'needs root'
    : spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0
      ? null
      : 'this machine mounts no file systems';

describe.skipIf(mountProblem !== null)(
  `the doctor and file systems${mountProblem === null ? '' : ` (${mountProblem})`}`,
  () => {
    async function onTmpfs(options: string): Promise<Patient> {
      const patient = makePatient('https://192.0.2.1:9', await makeTestCa());
      ends.push(patient.remove);
      const mount = (...argv: string[]): void => expect(spawnSync(argv[0]!, argv.slice(1)).status).toBe(0);
      mount('mount', '-t', 'tmpfs', '-o', `mode=0750,${options}`, 'none', patient.stateDir);
      ends.push(() => mount('umount', patient.stateDir));
      return patient;
    }

    it('finds a disk on which hardly anything is free', async () => {
      const patient = await onTmpfs('size=100m');
      writeFileSync(join(patient.stateDir, 'filler'), Buffer.alloc(60 * 1_048_576));
      expect((await examine(createExec(), patient)).step('disk').problems[0]?.code).toBe('disk_full');
    });

    it('finds a file system without inodes although space is free', async () => {
      const patient = await onTmpfs('size=200m,nr_inodes=50');
      mkdirSync(join(patient.stateDir, 'many'));
      for (let i = 0; i < 47; i++) writeFileSync(join(patient.stateDir, 'many', String(i)), '');
      const { step } = await examine(createExec(), patient);
      expect(step('inodes').problems[0]?.code).toBe('inodes_exhausted');
      expect(step('disk').state).toBe('ok');
    });

    it('finds a state directory that became read-only', async () => {
      const patient = await onTmpfs('size=200m');
      expect(spawnSync('mount', ['-o', 'remount,ro', patient.stateDir]).status).toBe(0);
      expect((await examine(createExec(), patient)).step('disk').problems[0]?.code).toBe('store_read_only');
    });
  },
);
