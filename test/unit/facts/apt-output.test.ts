import { describe, expect, it } from 'vitest';
import { parseIndexTargets, parseSimulation } from '../../../agent/facts/apt-output.ts';
import { fixture } from '../../support/fixture-facts.ts';

const line = (releases: string): string => `Inst tls [3.0] (3.1 ${releases} [amd64])\n`;

describe('what apt-get prints', () => {
  it('counts what an upgrade would install, and what of it comes from a source of security updates', () => {
    expect(parseSimulation(fixture('apt/dist-upgrade.txt'))).toEqual({ updates: 2, security: 1 });
  });

  it.each([
    ['Debian-Security:12/stable-security', 1],
    ['Debian:12.9/stable, Debian-Security:12/stable-security', 1],
    ['Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security', 1],
    ['Ubuntu:24.04/noble-security', 1],
    ['Debian:12.9/stable', 0],
    ['Ubuntu:24.04/noble-updates', 0],
    ['security.example.org', 0],
    ['My Own Packages:1.0/main', 0],
  ])('takes an update from %s for %s of security', (releases, security) => {
    expect(parseSimulation(line(releases))).toEqual({ updates: 1, security });
  });

  it('counts a package that is new, and one without any source', () => {
    const text = 'Inst linux-image-29 (6.1.29 Debian-Security:12/stable-security [amd64])\nInst own [1] (2  [all])\n';
    expect(parseSimulation(text)).toEqual({ updates: 2, security: 1 });
  });

  it('a line that installs something in another form is not understood, and nothing is guessed', () => {
    expect(parseSimulation('Inst tls will be upgraded\n')).toBeNull();
    expect(parseSimulation(`${line('Debian:12/stable')}Inst `)).toBeNull();
  });

  it('finds the lists of packages, and which of them are of security', () => {
    const targets = parseIndexTargets(fixture('apt/indextargets.txt'));
    expect(targets?.map(({ isSecurity }) => isSecurity)).toEqual([false, true]);
    expect(targets?.every(({ file }) => file.startsWith('/var/lib/apt/lists/'))).toBe(true);
  });

  it('a stanza without a file is not understood; no stanza is no list', () => {
    expect(parseIndexTargets('Label: Debian-Security\n')).toBeNull();
    expect(parseIndexTargets('')).toEqual([]);
  });
});
