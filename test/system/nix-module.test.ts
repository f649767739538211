// The NixOS module without NixOS: every file parses, options are judged, and the units that come out are the reviewed ones.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, it } from 'vitest';
import { KEYS, type ConfigKey } from '../../agent/config/keys.ts';
import { parseConfig } from '../../agent/config/parse-config.ts';
import { DAEMON_VERBS, DISK_VERB, HELPER_VERBS, helperUnit, SWITCH_VERBS } from '../../agent/helpers/verbs.ts';
import {
  evaluateCentral,
  evaluateModule,
  nixInstantiate,
  nixpkgsProblem,
  nixProblem,
  type Evaluated,
} from '../../tools/evaluate-module.ts';
import { goldenOf, OPTIONS_DOC, optionsDoc, readGolden } from '../../tools/make-units.ts';
import { INSTALL, lockSha256, narHash, NOT_KEPT, readPin } from '../../tools/npm-deps.ts';

const REPO = join(import.meta.dirname, '../..');
const nix = nixProblem();
const analyze = spawnSync('systemd-analyze', ['--version']).status === 0 ? null : 'needs systemd-analyze';
const RESELLER = 'resellerId = "northwind-msp";';

const nixFiles = [
  'flake.nix',
  ...['nix', 'iso'].flatMap((folder) =>
    readdirSync(join(REPO, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.nix'))
      .map((name) => `${folder}/${name}`),
  ),
];
const example = (name: string): string =>
  `(import ./nix/examples/${name}.nix).services.compliance-agent`.replace('./', `${REPO}/`);
/** What `systemd-analyze security` may say of a helper, in tenths. */
const HELPER_TENTHS = 30;
/** Less is allowed for these: what they reach, and two tenths. */
const EXPOSURE: Readonly<Record<string, number>> = {
  'compliance-agent.service': 12,
  'central-command.service': 13,
  'compliance-agent-egress.service': 23,
  'compliance-agent-egress-closed.service': 16,
  'compliance-agent-facts.service': 20,
  'compliance-agent-facts-backup.service': 20,
  'compliance-agent-backup-check.service': 20,
  'compliance-agent-backup-restore-test.service': 25,
  'compliance-agent-sync-trust.service': 15,
  'compliance-agent-set-clock.service': 15,
  'compliance-agent-store-device-key.service': 16,
  'compliance-agent-config-stick.service': 16,
  'compliance-agent-seal-disk.service': 21,
  'compliance-agent-console.service': 4,
  'compliance-agent-restart-unit.service': 15,
  'compliance-agent-run-backup.service': 15,
  'compliance-agent-apply-update.service': 15,
  'compliance-agent-reboot.service': 15,
  'compliance-agent-restore-firewall.service': 18,
  'compliance-agent-revert-firewall.service': 18,
  'compliance-agent-restore-test.service': 25,
};
/** Units that no sandbox can hold, each with the reason. */
const NOT_CONFINED: Readonly<Record<string, string>> = {
  'initrd/clinic-first-unlock.service':
    'it runs cryptsetup in the initial RAM disk, before there is anything to protect from it',
  'compliance-agent-switch-system.service':
    'what it starts installs a boot loader and restarts whatever a new system changed; it takes nothing but a plan of the verifier',
};
const services = Object.keys(readGolden()).filter((name) => name.endsWith('.service') && !(name in NOT_CONFINED));
const parsed = (text: string) => parseConfig(text, 'config.yaml');

describe('the files of nix/', () => {
  beforeEach((context) => context.skip(nix !== null, nix ?? ''));

  it.each(nixFiles)('%s is Nix', (file) => {
    expect(nixInstantiate('--parse', file)).not.toBe('');
  });

  it('none of them names a registry of packages', () => {
    const texts = [...nixFiles, 'nix/npm-deps.json'].map((file) => readFileSync(join(REPO, file), 'utf8'));
    expect(texts.filter((text) => /registry\.|npmjs|artifactory|verdaccio/i.test(text))).toEqual([]);
  });
});

/** Same expectations for our few words of `lib` and for nixpkgs' own. */
describe.each([
  { lib: 'our own words of lib', withNixpkgs: false, problem: nix },
  { lib: "nixpkgs' lib", withNixpkgs: true, problem: nixpkgsProblem() },
])('the module, evaluated with $lib', ({ withNixpkgs, problem }) => {
  beforeEach((context) => context.skip(problem !== null, problem ?? ''));
  const evaluate = (settings?: string): Evaluated =>
    evaluateModule({ withNixpkgs, appliance: true, ...(settings === undefined ? {} : { settings }) });

  it('gives the units of nix/golden, byte for byte', () => {
    expect(goldenOf(evaluate(), evaluateCentral({ withNixpkgs }))).toEqual(readGolden());
  });

  it.each(['reseller', 'direct'])('accepts the example of mode %s, and the agent accepts the file it gives', (mode) => {
    const evaluated = evaluate(example(mode));
    const { refused, configText } = evaluated;
    expect([refused, Object.keys(goldenOf(evaluated, evaluateCentral())).toSorted()]).toEqual([
      [],
      Object.keys(readGolden()),
    ]);
    expect(parsed(configText)).toMatchObject({ ok: true, warnings: [], config: { mode } });
  });

  it('writes a maintenance window and a list of hosts as the agent reads them', () => {
    const { configText } = evaluate(example('reseller'));
    expect(parsed(configText)).toMatchObject({
      config: {
        allowed_hosts: ['ntp.northwind.example'],
        maintenance_window: { time_zone: 'America/New_York', days: ['sat', 'sun'], start: '22:00', end: '04:00' },
      },
    });
  });

  it.each([
    ['pollIntervalS = 0;', 'pollIntervalS'],
    ['pollIntervalS = 3601;', 'pollIntervalS'],
    ['pollIntervalS = "60";', 'pollIntervalS'],
    ['orderTtlS = 901;', 'orderTtlS'],
    ['mode = "both";', 'mode'],
    ['logLevel = "verbose";', 'logLevel'],
    ['centralUrl = "http://central.example";', 'centralUrl'],
    ['centralUrl = "https://central.example/path";', 'centralUrl'],
    ['allowedHosts = "ntp.example";', 'allowedHosts'],
    ['allowedHosts = [ "a\\nlog_level: debug" ];', 'allowedHosts'],
    ['maintenanceWindow = { days = [ "sat" ]; };', 'maintenanceWindow'],
    [
      'maintenanceWindow = { time_zone = "UTC"; days = [ "saturday" ]; start = "22:00"; end = "04:00"; };',
      'maintenanceWindow',
    ],
    ['credentials.mail = "secrets/mail";', 'credentials'],
    ['credentials.mail = ./mail;', 'credentials'],
    ['polIntervalS = 60;', 'polIntervalS'],
  ])('refuses %s and names the option', (setting, name) => {
    expect(() => evaluate(`{ ${RESELLER} ${setting} }`)).toThrow(`services.compliance-agent.${name}`);
  });

  it.each([
    ['', 'resellerId is required in mode `reseller`'],
    ['mode = "direct"; resellerId = "northwind-msp";', 'resellerId has no effect in mode `direct`'],
    [`${RESELLER} stateDir = "/srv/agent";`, 'stateDir must be one folder directly below /var/lib'],
    [`${RESELLER} stateDir = "/var/lib/../etc";`, 'stateDir must be one folder directly below /var/lib'],
    [`${RESELLER} credentials.mail = "/nix/store/abc-mail";`, 'everybody can read mail in /nix/store'],
    [`${RESELLER} credentials."a b" = "/run/secrets/mail";`, 'names are letters, digits'],
    [`${RESELLER} credentials."compliance-agent.device-key" = "/run/x";`, "the agent's own"],
  ])('gives no units for { %s }: %s', (settings, message) => {
    const { refused, units } = evaluate(`{ ${settings} }`);
    expect([refused.length, units]).toEqual([1, {}]);
    expect(refused[0]).toContain(message);
  });

  it.each([
    ['allowDisruptiveOutsideWindow = true;', 'site policy'],
    ['policyVersion = 3;', 'site policy'],
    ['outputs = { syslog = "tls://log.example"; };', 'site policy'],
    ['syslogTarget = "log.example";', 'site policy'],
    ['rmmWebhook = "https://rmm.example";', 'site policy'],
    ['healing = { enable = true; };', 'site policy'],
    ['waivers = [ ];', 'site policy'],
    ['siteId = "north";', 'enrolment'],
    ['hostId = "north-1";', 'enrolment'],
    ['escalation.smtpPasswordFile = "/run/secrets/mail";', 'site policy'],
  ])('refuses %s, since the %s decides that', (setting, who) => {
    const { refused, units } = evaluate(`{ ${RESELLER} ${setting} }`);
    expect([refused.length, units]).toEqual([1, {}]);
    expect(refused[0]).toContain(who);
  });

  it.each([
    'clientKeyFile = "/run/secrets/tls.key";',
    'clientCertFile = "/run/secrets/tls.pem";',
    'signingKeyFile = "/run/secrets/device.key";',
  ])('refuses %s, since the appliance makes its keys itself', (setting) => {
    const { refused, units } = evaluate(`{ ${RESELLER} ${setting} }`);
    expect([refused.length, units]).toEqual([1, {}]);
    expect(refused[0]).toContain('the appliance makes its keys itself');
  });

  it('another state directory moves everything that names it', () => {
    const { units, configText } = evaluate(`{ ${RESELLER} stateDir = "/var/lib/other"; }`);
    expect(units['compliance-agent.service']).toContain('\nStateDirectory=other\n');
    // The folder of the helpers is root's own and stays.
    const named = (Object.values(units).join('') + configText).match(/\/var\/lib\/compliance-agent[a-z-]*/g) ?? [];
    expect(named.filter((path) => path !== '/var/lib/compliance-agent-helpers')).toEqual([]);
  });
});

describe('the options of the module', () => {
  beforeEach((context) => context.skip(nix !== null, nix ?? ''));

  it('are those of the configuration file, with the same defaults', () => {
    const { configText, keys } = evaluateModule();
    const result = parsed(configText);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    const others = (Object.keys(KEYS) as ConfigKey[]).filter((key) => key !== 'reseller_id');
    expect(others.map((key) => [key, result.config[key]])).toEqual(others.map((key) => [key, KEYS[key].default]));
    // Every key is an option but the folder for provisioning, which the module chooses.
    expect([...keys, 'provision_dir'].toSorted()).toEqual(Object.keys(KEYS).toSorted());
  });

  it('stand in docs/options.md, each with what it means', () => {
    const document = readFileSync(OPTIONS_DOC, 'utf8');
    const { options } = evaluateModule();
    expect(options.filter(({ description }) => description.length < 20)).toEqual([]);
    expect(optionsDoc(document, options, evaluateCentral().options)).toBe(document);
  });
});

describe('the units, judged by systemd', () => {
  beforeEach((context) => {
    context.skip(nix !== null, nix ?? '');
    context.skip(analyze !== null, analyze ?? '');
  });

  /** In a folder of its own, with a program where the unit looks for it. */
  function withUnits<T>(use: (paths: Record<string, string>) => T): T {
    const dir = mkdtempSync(join(tmpdir(), 'units-'));
    try {
      const program = join(dir, 'bin/compliance-agent');
      mkdirSync(join(dir, 'bin'));
      writeFileSync(program, '#!/bin/sh\n');
      chmodSync(program, 0o755);
      writeFileSync(join(dir, 'bin/central-command'), '#!/bin/sh\n', { mode: 0o755 });
      const units = {
        ...evaluateModule({ prefix: dir, appliance: true }).units,
        ...evaluateCentral({ prefix: dir }).units,
      };
      for (const [name, text] of Object.entries(units)) writeFileSync(join(dir, name), text);
      return use(Object.fromEntries(Object.keys(units).map((name) => [name, join(dir, name)])));
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }
  const run = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  const security = (path: string, threshold: number) =>
    run('security', '--offline=true', `--threshold=${threshold}`, '--no-pager', path);

  it('systemd-analyze verify has nothing to say about them', () => {
    const { status, stdout, stderr } = withUnits((paths) => run('verify', '--man=no', ...Object.values(paths)));
    expect([status, stdout + stderr]).toEqual([0, '']);
  });

  it.each(services.map((unit) => [unit, EXPOSURE[unit] ?? HELPER_TENTHS] as const))(
    'the exposure of %s is at most %d tenths',
    (unit, tenths) => {
      const { status, stdout } = withUnits((paths) => security(paths[unit] ?? '', tenths));
      expect(status, stdout).toBe(0);
    },
  );

  it('no unit is left out of that gate without a reason, and each reason is of a unit that there is', () => {
    const all = Object.keys(readGolden()).filter((name) => name.endsWith('.service'));
    expect([...services, ...Object.keys(NOT_CONFINED)].toSorted()).toEqual(all);
    expect(Object.keys(EXPOSURE).filter((name) => !services.includes(name))).toEqual([]);
    expect(EXPOSURE['compliance-agent.service']).toBeLessThanOrEqual(12);
    expect(Object.values(EXPOSURE).filter((tenths) => tenths > HELPER_TENTHS)).toEqual([]);
  });

  it('a unit that loses one of its lines is above the limit: the gate has teeth', () => {
    const status = withUnits((paths) => {
      const path = paths['compliance-agent.service'] ?? '';
      writeFileSync(path, readFileSync(path, 'utf8').replace('ProtectSystem=strict\n', ''));
      return security(path, 12).status;
    });
    expect(status).not.toBe(0);
  });
});

describe('the rule for polkit', () => {
  beforeEach((context) => context.skip(nix !== null, nix ?? ''));

  /** What polkit would answer: the rule is JavaScript. */
  function answers(): (user: string, verb: string, unit: string, id?: string) => unknown {
    let rule: ((action: object, subject: object) => unknown) | null = null;
    const polkit = { addRule: (made: typeof rule) => (rule = made), Result: { YES: 'yes' } };
    runInNewContext(evaluateModule().polkitRule, { polkit });
    return (user, verb, unit, id = 'org.freedesktop.systemd1.manage-units') =>
      rule?.({ id, lookup: (name: string) => ({ verb, unit })[name] }, { user });
  }

  it('lets the user of the daemon start each helper, and the reading of facts, by its exact name', () => {
    const answer = answers();
    expect(answer('compliance-agent', 'start', 'compliance-agent-facts.service')).toBe('yes');
    for (const verb of DAEMON_VERBS) expect(answer('compliance-agent', 'start', helperUnit(verb))).toBe('yes');
    expect(HELPER_VERBS.filter((verb) => answer('compliance-agent', 'start', helperUnit(verb)) !== 'yes')).toEqual([
      'revert-firewall',
      DISK_VERB,
      ...SWITCH_VERBS,
    ]);
  });

  it.each([
    ['another user', 'nobody', 'start', 'compliance-agent-set-clock.service'],
    ['stopping one', 'compliance-agent', 'stop', 'compliance-agent-set-clock.service'],
    ['restarting one', 'compliance-agent', 'restart', 'compliance-agent-set-clock.service'],
    ['the daemon itself', 'compliance-agent', 'start', 'compliance-agent.service'],
    ['another unit of root', 'compliance-agent', 'start', 'compliance-agent-revert-firewall.service'],
    ['a unit whose name begins alike', 'compliance-agent', 'start', 'compliance-agent-set-clock.service.evil.service'],
    ['rebooting', 'compliance-agent', 'start', 'reboot.target'],
    ['disarming the way back', 'compliance-agent', 'stop', 'compliance-agent-revert-firewall.timer'],
  ])('leaves %s to everything else', (_, user, verb, unit) => {
    expect(answers()(user, verb, unit)).toBeUndefined();
  });

  it('leaves every other action to everything else', () => {
    const unit = 'compliance-agent-set-clock.service';
    expect(answers()('compliance-agent', 'start', unit, 'org.freedesktop.systemd1.manage-unit-files')).toBeUndefined();
  });
});

describe('the libraries that Nix fetches', () => {
  it('are pinned for the package-lock.json that is here', () => {
    expect(readPin().lock_sha256, 'run: node tools/npm-deps.ts --write').toBe(lockSha256());
  });

  it('the commands that make the hashes are those that Nix runs', () => {
    const read = (file: string): string => readFileSync(join(REPO, 'nix', file), 'utf8');
    expect(read('package.nix')).toContain(`arguments = "${INSTALL['compliance-agent'].join(' ')}";`);
    expect(read('central-package.nix')).toContain(`arguments = "${INSTALL['central-command'].join(' ')}";`);
    expect(read('npm-deps.nix')).toContain(`    rm -rf ${NOT_KEPT.join(' ')}\n`);
  });

  it('our hash of a folder is the one of Nix', (context) => {
    context.skip(nix !== null, nix ?? '');
    const { stdout } = spawnSync('nix-hash', ['--type', 'sha256', join(REPO, 'nix')], { encoding: 'utf8' });
    const ours = narHash(join(REPO, 'nix')).replace('sha256-', '');
    expect(Buffer.from(ours, 'base64').toString('hex')).toBe(stdout.trim());
  });
});
