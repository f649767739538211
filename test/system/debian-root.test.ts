// The check `patching` in a Debian root that debootstrap made: its own dpkg, its own apt, a security update that is pending, and
// the same one installed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FactSet } from '../../agent/facts/probes.ts';
import type { Finding } from '../../agent/wire/schemas/finding.ts';
import { aptProblem, publish } from '../support/apt-root.ts';
import { live } from '../support/check-rows.ts';
import { judgeLive } from '../support/judge-live.ts';
import { bootContainer, CHECKOUT, nspawnProblem, type Container } from '../support/nspawn.ts';

const SUITE = 'bookworm';
const MIRROR = 'http://deb.debian.org/debian';
const PROGRAM = join(CHECKOUT, 'test/fixtures/programs/print-facts-at.ts');
const ROOT_PART = live('Debian root made by debootstrap, booted', 'apt-get');
const APT = '    apt:\n      security_updates: 0\n      lists_hours: 72\n';
/** Says whether a restart is pending, as a Debian with it does. */
const INCLUDE = 'systemd,systemd-sysv,dbus,unattended-upgrades';

function whyNot(): string | null {
  const problem = nspawnProblem('debootstrap', 'dpkg-deb', 'dpkg-scanpackages') ?? aptProblem();
  if (problem !== null) return problem;
  const dir = mkdtempSync(join(tmpdir(), 'mirror-'));
  const fetched = spawnSync('/usr/lib/apt/apt-helper', [
    'download-file',
    `${MIRROR}/dists/${SUITE}/Release`,
    join(dir, 'Release'),
  ]);
  rmSync(dir, { recursive: true });
  return fetched.status === 0 ? null : `no Debian archive can be reached at ${MIRROR}`;
}

const problem = whyNot();
let lab: string;
let box: Container;
beforeAll(async () => {
  if (problem !== null) return;
  lab = mkdtempSync('/var/tmp/debian-root-');
  const root = join(lab, 'root');
  const made = spawnSync('debootstrap', ['--variant=minbase', `--include=${INCLUDE}`, SUITE, root, MIRROR], {
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(`debootstrap: ${made.stdout.slice(-500)}${made.stderr}`);
  const sources = 'deb [trusted=yes] file:/srv/archive stable-security main\n';
  mkdirSync(join(root, 'srv/archive'), { recursive: true });
  writeFileSync(join(root, 'etc/apt/sources.list'), sources);
  box = await bootContainer({ lower: root });
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(async () => {
  await box?.close();
  if (lab !== undefined) rmSync(lab, { recursive: true, force: true });
});

/** What the security suite offers of `tzdata`, which debootstrap installed; fetched by the root's own apt. */
function offer(version: string): void {
  publish(join(box.root, 'srv/archive'), 'stable-security', {
    label: 'Debian-Security',
    version: '12',
    packages: [{ name: 'tzdata', version }],
  });
  box.run(['apt-get', 'update']);
}
function judge(): Finding {
  const asked = { names: ['patching'], at: {} };
  const facts = JSON.parse(box.run([process.execPath, PROGRAM], JSON.stringify(asked))) as FactSet;
  return judgeLive('patching', facts, ROOT_PART, (yaml) =>
    yaml.replace(/^ {6}generation_days: .*\n/m, (line) => line + APT),
  );
}

describe('a Debian root that debootstrap made', () => {
  it('passes with nothing newer in the suite of security, fails with a pending update, and passes once it is installed', () => {
    const installed = box.run(['dpkg-query', '--show', '--showformat=${Version}', 'tzdata']);
    // The installed version with other bytes would be an update, as apt sees it.
    offer('0');
    expect(judge()).toMatchObject({ result: 'pass', facts: { security_updates: 0, security_sources: 1 } });
    offer(`${installed}+deb12u99`);
    expect(judge()).toMatchObject({ result: 'fail', severity: 'high', facts: { security_updates: 1 } });
    box.run(['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '--yes', 'dist-upgrade']);
    expect(judge()).toMatchObject({ result: 'pass', facts: { security_updates: 0 } });
  });

  it('a hold does not hide a pending security update from the check, though it does from an upgrade', () => {
    offer('9999');
    box.run(['apt-mark', 'hold', 'tzdata']);
    expect(box.run(['apt-get', '--simulate', 'dist-upgrade'])).toContain('kept back');
    expect(judge()).toMatchObject({ result: 'fail', facts: { security_updates: 1 } });
  });
});
