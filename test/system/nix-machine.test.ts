// The module for the whole machine, without NixOS: what it sets, under the names that each release has for it; that systemd
// knows it; and the step of a build in which the agent judges its configuration.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { evaluateModule, nixpkgsProblem, nixProblem } from '../../tools/evaluate-module.ts';
import { installTree } from '../../tools/install-tree.ts';
import { bootContainer, nspawnProblem } from '../support/nspawn.ts';

const REPO = join(import.meta.dirname, '../..');
const nix = nixProblem();
const booted = nspawnProblem('journalctl') ?? nix;

/** Same expectations for our few words of `lib` and for nixpkgs' own. */
describe.each([
  { lib: 'our own words of lib', withNixpkgs: false, problem: nix },
  { lib: "nixpkgs' lib", withNixpkgs: true, problem: nixpkgsProblem() },
])('the module for the whole machine, evaluated with $lib', ({ withNixpkgs, problem }) => {
  beforeEach((context) => context.skip(problem !== null, problem ?? ''));

  it('nobody can log in: no password, no SSH, no sudo, no getty, no shell of a failed boot or of the loader', () => {
    const { machine } = evaluateModule({ withNixpkgs, appliance: true });
    const off = { enable: false };
    expect(machine).toMatchObject({
      users: { mutableUsers: false, users: { root: { hashedPassword: '!' } } },
      services: { openssh: off, logind: { settings: { Login: { NAutoVTs: 0, ReserveVT: 0 } } } },
      security: { sudo: off },
      systemd: { enableEmergencyMode: false, services: { 'getty@': off, 'autovt@': off, 'serial-getty@': off } },
      boot: { initrd: { systemd: { emergencyAccess: false } }, loader: { 'systemd-boot': { editor: false } } },
    });
  });

  it('software comes signed and ready built, and only root asks for it', () => {
    const { machine } = evaluateModule({ withNixpkgs, appliance: true });
    expect(machine).toMatchObject({
      nix: {
        channel: { enable: false },
        settings: {
          'require-sigs': true,
          'max-jobs': 0,
          'allowed-users': ['root'],
          'trusted-users': ['root'],
        },
      },
    });
  });

  it('of the systems that were updated away as many stay as the loader shows, and the rest goes every week', () => {
    const { machine, files } = evaluateModule({ withNixpkgs, appliance: true });
    const kept = 4;
    expect(machine).toMatchObject({
      nix: { gc: { automatic: true, dates: 'weekly' } },
      boot: { loader: { 'systemd-boot': { configurationLimit: kept } } },
    });
    const added = files['etc/systemd/system/nix-gc.service.d/compliance-agent.conf'];
    expect(added).toContain(`nix-env --profile /nix/var/nix/profiles/system --delete-generations +${kept}\n`);
  });

  it('updates come from the one cache that is named, under its keys and no others', () => {
    const key = 'cache.northwind.example-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
    const cache = 'https://cache.northwind.example';
    const settings = `{ resellerId = "northwind-msp"; updates.cache = "${cache}"; updates.publicKeys = [ "${key}" ]; }`;
    const { refused, nixSettings } = evaluateModule({ withNixpkgs, appliance: true, settings });
    expect(refused).toEqual([]);
    expect(nixSettings).toMatchObject({ substituters: [cache], 'trusted-public-keys': [key], 'require-sigs': true });
  });

  it.each([
    ['26.05' as const, { journald: { extraConfig: expect.stringMatching(/^Storage=persistent$/m) } }, undefined],
    [
      '26.11' as const,
      { journald: { settings: { Journal: { Storage: 'persistent', SystemMaxUse: '1G' } } } },
      { enable: true, tries: 3 },
    ],
  ])(
    'in release %s the journal survives restarts within a limit, by the name that it has there',
    (release, services, counting) => {
      const { refused, machine } = evaluateModule({ withNixpkgs, appliance: true, release });
      expect(refused).toEqual([]);
      expect(machine).toMatchObject({ services });
      const loader = (machine as { boot: { loader: Record<string, { bootCounting?: unknown }> } }).boot.loader;
      expect(loader['systemd-boot']?.bootCounting).toEqual(counting);
    },
  );
});

describe('what the whole machine sets of systemd', () => {
  it('has its effect there: the journal is on the disk within its limit, and the watchdog is fed', async (context) => {
    context.skip(booted !== null, booted ?? '');
    const { machine } = evaluateModule({ appliance: true, release: '26.11' }) as unknown as {
      readonly machine: {
        readonly services: { readonly journald: Sections; readonly resolved: Sections };
        readonly systemd: Sections;
      };
    };
    const ini = (given: Sections): string =>
      Object.entries(given.settings)
        .map(
          ([name, keys]) =>
            `[${name}]\n${Object.entries(keys)
              .map((pair) => `${pair.join('=')}\n`)
              .join('')}`,
        )
        .join('');
    const box = await bootContainer({
      files: {
        '/etc/systemd/journald.conf.d/appliance.conf': ini(machine.services.journald),
        '/etc/systemd/system.conf.d/appliance.conf': ini(machine.systemd),
      },
    });
    try {
      box.run(['journalctl', '--flush']);
      const said = box.run(['journalctl', '--boot', '--output', 'cat', '--no-pager']);
      expect(said).toMatch(/^System Journal \(\/var\/log\/journal\/\w+\) is .*, max 1\.0G,/m);
      expect(box.run(['systemctl', 'show', '--property=RuntimeWatchdogUSec,RebootWatchdogUSec'])).toBe(
        'RuntimeWatchdogUSec=1min\nRebootWatchdogUSec=5min\n',
      );
    } finally {
      await box.close();
    }
  });
});

interface Sections {
  readonly settings: Readonly<Record<string, Readonly<Record<string, string | number>>>>;
}

describe('the step of a build that judges the configuration', () => {
  beforeEach((context) => context.skip(nix !== null, nix ?? ''));
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'build-'));
    installTree(process.execPath, join(REPO, 'node_modules'), dir);
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** As Nix runs it, with the agent of the package. */
  function build(settings: string) {
    const { configCheck, configText } = evaluateModule({ settings, prefix: dir });
    const [textPath, out] = [join(dir, 'text'), join(dir, 'config.yaml')];
    writeFileSync(textPath, configText);
    const env = { PATH: process.env['PATH'] ?? '', textPath, out };
    const { status, stdout, stderr } = spawnSync('sh', ['-eu', '-c', configCheck], { encoding: 'utf8', env });
    return { status, said: stdout + stderr, built: existsSync(out) ? readFileSync(out, 'utf8') : '' };
  }

  it.each(['reseller', 'direct'])('passes the example of mode %s, and what is built is what was judged', (mode) => {
    const settings = `(import ${REPO}/nix/examples/${mode}.nix).services.compliance-agent`;
    const { status, said, built } = build(settings);
    expect([status, said]).toEqual([0, expect.stringContaining('config.yaml')]);
    expect(built).toBe(evaluateModule({ settings }).configText);
  });

  it('ends the build where the agent would refuse what the types let through, with its sentence', () => {
    const { status, said } = build(
      '{ resellerId = "northwind-msp"; maintenanceWindow = { time_zone = "Mars/Olympus"; days = [ "sat" ]; start = "22:00"; end = "04:00"; }; }',
    );
    expect(status).not.toBe(0);
    expect(said).toMatch(/time_zone.*Mars\/Olympus|Mars\/Olympus.*time zone/s);
  });
});
