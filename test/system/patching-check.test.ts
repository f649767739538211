// The check `patching` on a real apt with an archive of its own, and on folders shaped like NixOS.
import { mkdirSync, rmSync, symlinkSync, utimesSync, lutimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AptSystem } from '../../agent/facts/apt-system.ts';
import type { FactSet } from '../../agent/facts/probes.ts';
import { readFacts } from '../../agent/facts/read-facts.ts';
import type { Exec } from '../../agent/system/ports.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { aptProblem, openAptRoot, type AptRoot } from '../support/apt-root.ts';
import { probeContext } from '../support/fixture-facts.ts';
import { constructed, live } from '../support/check-rows.ts';
import { judgeLive } from '../support/judge-live.ts';
import { nixosTree } from '../support/nixos-tree.ts';

const problem = aptProblem();
const ARCHIVE = live('archive of packages on this machine', 'apt-get');
const TREE = constructed('links of a NixOS machine');
const RUNNING_KERNEL = '6.1.0-28-amd64';
const now = (): number => Math.floor(Date.now() / 1000);

const DEBIAN = `    apt:
      security_updates: 0
      lists_hours: 72
`;
const forDebian = (yaml: string): string => yaml.replace(/^ {6}generation_days: .*\n/m, (line) => line + DEBIAN);
const judge = (facts: FactSet): Finding => judgeLive('patching', facts, ARCHIVE, forDebian);

describe('a Debian-like system', () => {
  let root: AptRoot;
  beforeEach(async (context) => {
    context.skip(problem !== null, problem ?? '');
    root = await openAptRoot(['stable', 'stable-security']);
    root.publish('stable', { label: 'Debian', version: '12.9', packages: [{ name: 'editor', version: '2.0' }] });
    root.publish('stable-security', {
      label: 'Debian-Security',
      version: '12',
      packages: [{ name: 'tls', version: '3.1' }],
    });
    root.install({ editor: { version: '2.0' }, tls: { version: '3.1' } });
    write('proc/sys/kernel/osrelease', `${RUNNING_KERNEL}\n`);
    linkKernel(RUNNING_KERNEL);
  });
  afterEach(() => (problem === null ? root.close() : undefined));

  const write = (path: string, content: string): void => {
    mkdirSync(dirname(join(root.dir, path)), { recursive: true });
    writeFileSync(join(root.dir, path), content);
  };
  function linkKernel(release: string, at = now()): void {
    rmSync(join(root.dir, 'vmlinuz'), { force: true });
    symlinkSync(`boot/vmlinuz-${release}`, join(root.dir, 'vmlinuz'));
    lutimesSync(join(root.dir, 'vmlinuz'), at, at);
  }
  const read = (laterS = 0, exec = root.exec): Promise<FactSet> =>
    readFacts(
      ['patching'],
      probeContext({
        exec,
        rootDir: root.dir,
        procDir: join(root.dir, 'proc'),
        clock: { wallMs: () => Date.now() + laterS * 1_000 },
        deadlineMs: 60_000,
      }),
    );
  function system(facts: FactSet): AptSystem {
    if (facts.patching?.status !== 'read' || facts.patching.value.system !== 'apt') {
      throw new Error(JSON.stringify(facts));
    }
    return facts.patching.value;
  }

  it('with nothing pending and fresh lists it passes, and says how old the lists are', async () => {
    await root.update();
    const finding = judge(await read());
    expect([finding.result, finding.sentence]).toEqual(['pass', expect.stringContaining('0 security updates')]);
  });

  it('a pending security update is a fail of high severity', async () => {
    root.install({ editor: { version: '2.0' }, tls: { version: '3.0' } });
    await root.update();
    const finding = judge(await read());
    expect([finding.result, finding.severity, finding.facts.security_updates]).toEqual(['fail', 'high', 1]);
  });

  it('a pending update that is none of security does not fail', async () => {
    root.install({ editor: { version: '1.9' }, tls: { version: '3.1' } });
    await root.update();
    const facts = await read();
    expect(system(facts)).toMatchObject({ updates: 1, securityUpdates: 0 });
    expect(judge(facts).result).toBe('pass');
  });

  it('a security update that brings a new package is seen, as a kernel does', async () => {
    root.publish('stable-security', {
      label: 'Debian-Security',
      version: '12',
      packages: [
        { name: 'linux-image', version: '6.1.29', depends: 'linux-image-29' },
        { name: 'linux-image-29', version: '6.1.29' },
      ],
    });
    root.install({ 'linux-image': { version: '6.1.28' } });
    await root.update();
    expect(system(await read()).securityUpdates).toBe(2);
  });

  it('a package that is held hides no pending security update', async () => {
    root.install({ tls: { version: '3.0', held: true } });
    await root.update();
    expect(judge(await read())).toMatchObject({ result: 'fail', facts: { security_updates: 1 } });
  });

  it('an update that stands in both suites counts as one of security', async () => {
    root.publish('stable', { label: 'Debian', version: '12.9', packages: [{ name: 'tls', version: '3.1' }] });
    root.install({ tls: { version: '3.0' } });
    await root.update();
    expect(system(await read()).securityUpdates).toBe(1);
  });

  it('without any list it is unknown and never a pass', async () => {
    const facts = await read();
    expect(system(facts)).toMatchObject({ updates: 0, securitySources: 0, listsUpdatedAt: null });
    expect(judge(facts).result).toBe('unknown');
  });

  it('without a source of security updates it is unknown, though nothing is pending', async () => {
    await root.close();
    root = await openAptRoot(['stable']);
    root.publish('stable', { label: 'Debian', version: '12.9', packages: [{ name: 'tls', version: '3.1' }] });
    root.install({ tls: { version: '3.1' } });
    linkKernel(RUNNING_KERNEL);
    write('proc/sys/kernel/osrelease', RUNNING_KERNEL);
    await root.update();
    expect(judge(await read())).toMatchObject({ result: 'unknown', facts: { security_sources: 0 } });
  });

  it('lists that nobody renewed for four days are a fail', async () => {
    await root.update();
    const finding = judge(await read(4 * 86_400));
    expect([finding.result, finding.facts.lists_age, finding.facts.lists_age_h]).toEqual(['fail', 'beyond', 96]);
  });

  it('a fetch that reached nobody ends without an error and renews nothing', async () => {
    await root.update();
    const before = system(await read()).listsUpdatedAt;
    await root.closeArchive();
    expect(await root.update()).toBe(0);
    const after = await read(4 * 86_400);
    expect(system(after).listsUpdatedAt).toBe(before);
    expect(judge(after).result).toBe('fail');
  });

  it('a stamp of a fetch without any error counts where the lists had not changed', async () => {
    await root.update();
    const at = now() + 3 * 86_400;
    write('var/lib/apt/periodic/update-success-stamp', '');
    utimesSync(join(root.dir, 'var/lib/apt/periodic/update-success-stamp'), at, at);
    expect(judge(await read(4 * 86_400))).toMatchObject({ result: 'pass', facts: { lists_age_h: 24 } });
  });

  it('a marker for a restart is a fail once it is older than a day', async () => {
    await root.update();
    write('run/reboot-required', '');
    expect(judge(await read())).toMatchObject({ result: 'pass', facts: { reboot_pending: 'recent' } });
    expect(judge(await read(25 * 3_600))).toMatchObject({ result: 'fail', facts: { reboot_pending: 'overdue' } });
  });

  it('a newer kernel than the one that runs is a pending restart without any marker', async () => {
    await root.update();
    linkKernel('6.1.0-29-amd64', now() - 26 * 3_600);
    expect(judge(await read())).toMatchObject({
      result: 'fail',
      severity: 'medium',
      facts: { reboot_pending: 'overdue', reboot_pending_h: 26 },
    });
  });

  it('where nothing would say that a restart is pending it is unknown', async () => {
    await root.update();
    rmSync(join(root.dir, 'vmlinuz'));
    expect(judge(await read())).toMatchObject({ result: 'unknown', facts: { reboot_pending: 'not_known' } });
    write('etc/kernel/postinst.d/unattended-upgrades', '#!/bin/sh\n');
    expect(judge(await read()).result).toBe('pass');
  });

  it('a broken dpkg status is unreadable and the check unknown', async () => {
    await root.update();
    write('var/lib/dpkg/status', 'Package: tls\nStatus: install ok installed\nnonsense without a colon\n');
    const facts = await read();
    expect(facts.patching).toMatchObject({ status: 'unreadable', reason: 'failed' });
    expect(judge(facts).result).toBe('unknown');
  });

  it('an agent without privileges reads the same', async (context) => {
    context.skip(process.getuid?.() !== 0, 'needs root, to become nobody');
    root.install({ tls: { version: '3.0' } });
    await root.update();
    const asRoot = system(await read());
    const drop = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', '--'] as const;
    const nobody: Exec = { run: (argv, o) => root.exec.run([...drop, ...argv], o) };
    expect(system(await read(0, nobody))).toEqual(asRoot);
    expect(asRoot.securityUpdates).toBe(1);
  });

  it('judged by a baseline that declares NixOS only it is unknown', async () => {
    await root.update();
    const finding = judgeLive('patching', await read(), ARCHIVE);
    expect([finding.result, finding.facts.system]).toEqual(['unknown', 'apt']);
  });
});

describe('a NixOS system', () => {
  const DAY = 86_400;
  const read = (rootDir: string): Promise<FactSet> =>
    readFacts(['patching'], probeContext({ rootDir, clock: { wallMs: () => Date.now() } }));

  it('the declared system passes, another one fails, and an undeclared one is unknown', async () => {
    using tree = nixosTree();
    const running = tree.system('clinic-1', 'linux-6.12.1');
    tree.boot(running, now() - DAY);
    tree.run(running, now() - DAY);
    tree.generation(1, running, now() - DAY);
    tree.setDefault(1);
    const facts = await read(tree.dir);
    const declare = (closure: string) => (yaml: string) => yaml.replace('closure: none', `closure: ${closure}`);
    expect(judgeLive('patching', facts, TREE, declare(running)).result).toBe('pass');
    const other = judgeLive('patching', facts, TREE, declare(`${running}-other`));
    expect([other.result, other.severity, other.facts.closure]).toEqual(['fail', 'high', 'other']);
    const unsettled = judgeLive('patching', facts, TREE);
    expect([unsettled.result, unsettled.facts.closure]).toEqual(['unknown', 'not_settled']);
  });

  it('a generation of 31 days and a restart that waits for two are two problems in one finding', async () => {
    using tree = nixosTree();
    const booted = tree.system('clinic-1', 'linux-6.12.1');
    const running = tree.system('clinic-2', 'linux-6.12.2');
    tree.boot(booted, now() - 32 * DAY);
    tree.run(running, now() - 31 * DAY);
    tree.generation(1, booted, now() - 40 * DAY);
    tree.generation(2, running, now() - 31 * DAY);
    tree.setDefault(2);
    const facts = await read(tree.dir);
    const finding = judgeLive('patching', facts, TREE, (yaml) => yaml.replace('closure: none', `closure: ${running}`));
    expect(finding).toMatchObject({ result: 'fail', severity: 'medium' });
    expect(finding.facts).toMatchObject({ generation_age: 'beyond', generation_age_d: 31, reboot_pending: 'overdue' });
  });
});
