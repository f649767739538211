// The module for the whole machine, without NixOS: what it sets, under the names that each release has for it.
import { beforeEach, describe, expect, it } from 'vitest';
import { evaluateModule, nixpkgsProblem, nixProblem } from '../../tools/evaluate-module.ts';

const nix = nixProblem();

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
