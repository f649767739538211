// The helpers that heal as an appliance runs them: generated units, polkit with the module's rule, real systemd, nft and restic. Whoever
// asks is the daemon's user, without a daemon. One container; each test goes on from the one before it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readRuleset } from '../../agent/facts/normalise-ruleset.ts';
import { encodeGivenUp, GIVEN_UP_FILE } from '../../agent/helpers/given-up-rules.ts';
import { encodeHealRequest, type HealRequest } from '../../agent/helpers/heal-request.ts';
import type { HelperResult } from '../../agent/helpers/helper-result.ts';
import { REVERT_TIMER } from '../../agent/helpers/restore-firewall.ts';
import { helperUnit, type HelperVerb } from '../../agent/helpers/verbs.ts';
import { sha256Hex } from '../../agent/wire/digest.ts';
import { maxLineBytes, parseDocument } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import { evaluateModule } from '../../tools/evaluate-module.ts';
import { until } from '../../tools/demo/process.ts';
import { applianceBox, applianceBoxProblem, type ApplianceBox } from '../support/appliance-box.ts';
import { healBaseline, healSite, RULESET, type BaselineWords, type HealSite } from '../support/heal-fixtures.ts';
import { uuidOf } from '../support/trust-fixtures.ts';

const problem =
  applianceBoxProblem() ??
  (spawnSync('sh', ['-c', 'test -x /usr/lib/polkit-1/polkitd && command -v nft && command -v restic']).status === 0
    ? null
    : 'needs polkitd, nft and restic');
const now = Math.floor(Date.now() / 1_000);
const DAEMON_UID = 396;
const DEADLINE_MS = 120_000;
const DROP = '/run/compliance-agent/drop';
const RESULTS = '/run/compliance-agent/helpers';
const HELD = '/var/lib/compliance-agent-helpers';
const AV_PROGRAM = '/opt/lab-av/avd';

const units: Readonly<Record<string, string>> = {
  'lab-av.service': `[Service]\nExecStart=${AV_PROGRAM} infinity\n`,
  'lab-backup.service':
    '[Service]\nType=oneshot\nEnvironment=RESTIC_REPOSITORY_FILE=/etc/lab/repository RESTIC_PASSWORD_FILE=/etc/lab/password\n' +
    'ExecStart=/usr/bin/restic --no-cache backup /srv/lab\n',
};

let box: ApplianceBox;
let site: HealSite;
let words: BaselineWords;
let requests = 0;

const asDaemon = async (argv: readonly [string, ...string[]], stdin?: string | Buffer): Promise<number | null> =>
  (await box.execAs(DAEMON_UID).run(argv, { deadlineMs: DEADLINE_MS, ...(stdin === undefined ? {} : { stdin }) })).code;
const drop = async (name: string, content: string | Buffer): Promise<void> => {
  expect(await asDaemon(['sh', '-c', `rm -rf ${DROP}/${name}; umask 027; cat > ${DROP}/${name}`], content)).toBe(0);
};
const start = (verb: HelperVerb): Promise<number | null> =>
  asDaemon(['systemctl', '--no-ask-password', 'start', helperUnit(verb)]);
const result = (verb: HelperVerb): HelperResult =>
  JSON.parse(box.run(['cat', `${RESULTS}/${verb}.json`])) as HelperResult;

/** Leaves what a daemon leaves, starts the helper as the daemon's user, and reads what came of it. */
async function ask(request: HealRequest, runbook: Buffer, baseline = site.baseline): Promise<HelperResult> {
  const asked = { ...request, request_id: uuidOf(++requests) };
  await drop('request', encodeHealRequest(asked));
  await drop('baseline', baseline);
  await drop('runbook', runbook);
  await start(asked.verb);
  const found = result(asked.verb);
  expect(found.details['request_id'], JSON.stringify(found)).toBe(asked.request_id);
  return found;
}
const restart = (what: 'av_edr' | 'log_forwarder'): Promise<HelperResult> => {
  const runbook = what === 'av_edr' ? site.runbooks.av : site.runbooks.logging;
  return ask(site.request(runbook, { verb: 'restart-unit', what }), runbook.bytes);
};
const restoreFirewall = (): Promise<HelperResult> =>
  ask(
    site.request(site.runbooks.firewall, { verb: 'restore-firewall', step: 'restore' }),
    site.runbooks.firewall.bytes,
  );
const follow = (step: 'confirm' | 'rollback', run: unknown): Promise<HelperResult> =>
  ask(
    {
      schema: 'compliance-agent/heal-request/v1',
      request_id: uuidOf(0),
      verb: 'restore-firewall',
      step,
      run: String(run),
    },
    site.runbooks.firewall.bytes,
  );
const state = (unit: string, property = 'ActiveState'): string =>
  box.run(['systemctl', 'show', unit, `--property=${property}`, '--value']).trim();
const restic = (...words: string[]): string =>
  box.run([
    'restic',
    '--no-cache',
    '--repository-file=/etc/lab/repository',
    '--password-file=/etc/lab/password',
    ...words,
  ]);
const rules = (): string => box.run(['nft', 'list', 'ruleset']);
const chain = (): string => box.run(['nft', 'list', 'chain', 'inet', 'lab', 'output']);

/** Signs everything anew for this baseline, at this version of the list, and lets sync-trust take it. */
async function sign(version: number, baseline: Buffer): Promise<void> {
  site = healSite({ now, baseline, seed: 'heal' });
  if (version === 1) {
    box.run(['tee', '-a', '/etc/compliance-agent/config.yaml'], `\nroot_sha256: '${site.rootSha256}'\n`);
    await drop('roots', site.root(1));
    await drop('binding', site.binding());
    await drop('policy', site.policy());
  }
  if (version > 1) await asDaemon(['sh', '-c', `rm -f ${DROP}/roots ${DROP}/binding ${DROP}/policy`]);
  await drop('answer', site.answer(Math.floor(Date.now() / 1_000)));
  await drop('content', site.content({ version }));
  await start('sync-trust');
  expect(result('sync-trust')).toMatchObject({ outcome: 'done' });
}

beforeAll(async () => {
  if (problem !== null) return;
  box = await applianceBox();
  box.run(['install', '-d', '/etc/polkit-1/rules.d']);
  box.run(['tee', '/etc/polkit-1/rules.d/10-compliance-agent.rules'], evaluateModule().polkitRule);
  box.run([
    'install',
    '-d',
    '-o',
    String(DAEMON_UID),
    '-g',
    String(DAEMON_UID),
    '-m',
    '0750',
    '/run/compliance-agent/drop',
  ]);
  box.run(['install', '-D', '-m', '0755', '/usr/bin/sleep', AV_PROGRAM]);
  box.run(['install', '-d', '/etc/lab', '/srv/lab/deep']);
  for (const [name, text] of Object.entries(units)) box.run(['tee', `/etc/systemd/system/${name}`], text);
  // Another name of journald: what a daemon would like the log forwarder to be.
  box.run(['ln', '-s', '/lib/systemd/system/systemd-journald.service', '/etc/systemd/system/lab-forwarder.service']);
  box.run(['systemctl', 'daemon-reload']);
  box.run(['tee', '/etc/lab/repository'], '/var/lib/lab-repository\n');
  box.run(['tee', '/etc/lab/password'], 'correct horse battery staple\n');
  box.run(['tee', '/srv/lab/notes'], 'what the practice needs tomorrow\n');
  box.run(['tee', '/srv/lab/deep/more'], 'and the day after\n');
  // Owned by somebody else and closed to all others: root's helper has to compare it all the same.
  box.run(['chown', '1234:1234', '/srv/lab/deep/more']);
  box.run(['chmod', '0600', '/srv/lab/deep/more']);
  restic('init');
  box.run(['nft', '-f', '-'], RULESET);
  const table = readRuleset(box.run(['nft', '-j', 'list', 'ruleset']))?.tables.find(({ name }) => name === 'lab');
  words = {
    avSha256: createHash('sha256')
      .update(readFileSync(join(box.root, AV_PROGRAM)))
      .digest('hex'),
    tables: `{ family: inet, name: lab, sha256: '${table?.sha256}' }`,
  };
  await sign(1, healBaseline(words));
}, 120_000);
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => (problem === null ? box.close() : undefined));

describe('the helpers that heal, in a booted system', () => {
  it('restart a service that died, by a standing grant', async () => {
    box.run(['systemctl', 'start', 'lab-av.service']);
    box.run(['systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'lab-av.service']);
    await until('the service is dead', () => (state('lab-av.service') === 'failed' ? true : null), 30_000);
    expect(await restart('av_edr')).toMatchObject({ outcome: 'done', details: { unit: 'lab-av.service' } });
    expect(state('lab-av.service')).toBe('active');
  });

  it('restart it by an order, once, and never by a request that is a link', async () => {
    const { av } = site.runbooks;
    const grounds = site.byOrder(site.order(av, { expires_at: site.now + 800 }));
    const request = site.request(av, { verb: 'restart-unit', what: 'av_edr' }, grounds);
    const before = state('lab-av.service', 'MainPID');
    expect(await ask(request, av.bytes)).toMatchObject({ outcome: 'done' });
    const after = state('lab-av.service', 'MainPID');
    expect(after).not.toBe(before);
    expect(await ask(request, av.bytes)).toMatchObject({ outcome: 'refused', code: 'order_replayed' });
    await asDaemon(['sh', '-c', `cd ${DROP} && mv request good && ln -s good request`]);
    expect(await start('restart-unit')).not.toBe(0);
    expect(result('restart-unit')).toMatchObject({ code: 'helper_input_unsafe' });
    expect(state('lab-av.service', 'MainPID')).toBe(after);
  });

  it('leave a service down whose program is not the declared one any more', async () => {
    box.run(['systemctl', 'stop', 'lab-av.service']);
    box.run(['sh', '-c', `cp ${AV_PROGRAM} /opt/lab-av/good && printf x >> ${AV_PROGRAM}`]);
    expect(await restart('av_edr')).toMatchObject({ outcome: 'refused', code: 'helper_binary_differs' });
    expect(state('lab-av.service')).toBe('inactive');
    box.run(['mv', '/opt/lab-av/good', AV_PROGRAM]);
    expect(await restart('av_edr')).toMatchObject({ outcome: 'done' });
  });

  it('never restart journald, also where a signed baseline calls an alias of it the log forwarder', async () => {
    const before = state('systemd-journald.service', 'MainPID');
    expect(state('lab-forwarder.service', 'Id')).toBe('systemd-journald.service');
    expect(await restart('log_forwarder')).toMatchObject({ outcome: 'refused', code: 'helper_unit_refused' });
    expect(state('systemd-journald.service', 'MainPID')).toBe(before);
  });

  it('load the signed packet filter in one go, keep what the daemon may reach, and leave it once that is confirmed', async () => {
    expect(await restoreFirewall()).toMatchObject({ outcome: 'unchanged' });
    box.run(['nft', 'add element inet lab reached { 192.0.2.7 . 443 timeout 30m }; add table inet beside']);
    box.run(['nft', 'flush chain inet lab output; add rule inet lab output accept']);
    const done = await restoreFirewall();
    expect(done, JSON.stringify(done)).toMatchObject({ outcome: 'done', details: { sets_kept: 1 } });
    expect(rules()).toMatch(/ip daddr \. tcp dport @reached accept/);
    expect(rules()).toMatch(/192\.0\.2\.7 \. 443/);
    expect(rules()).toContain('table inet beside');
    expect(state(REVERT_TIMER)).toBe('active');
    expect(box.run(['cat', `${HELD}/firewall-before.nft`])).toContain('accept');
    expect(await follow('confirm', 'ab'.repeat(16))).toMatchObject({ code: 'helper_nothing_pending' });
    expect(await follow('confirm', done.details['run'])).toMatchObject({ outcome: 'done' });
    expect(state(REVERT_TIMER)).toBe('inactive');
    expect(rules()).toMatch(/ip daddr \. tcp dport @reached accept/);
  });

  it('take the packet filter back when it is asked for, and by themselves when nobody says anything', async () => {
    const drift = 'flush chain inet lab output; add rule inet lab output tcp dport 4444 accept';
    box.run(['nft', drift]);
    const first = await restoreFirewall();
    expect(rules()).not.toContain('4444');
    expect(await follow('rollback', first.details['run'])).toMatchObject({ outcome: 'done' });
    expect(rules()).toContain('tcp dport 4444 accept');

    box.run(['systemctl', 'stop', REVERT_TIMER]);
    box.run(['install', '-d', `/etc/systemd/system/${REVERT_TIMER}.d`]);
    box.run(['tee', `/etc/systemd/system/${REVERT_TIMER}.d/soon.conf`], '[Timer]\nOnActiveSec=\nOnActiveSec=4\n');
    box.run(['systemctl', 'daemon-reload']);
    expect(await restoreFirewall()).toMatchObject({ outcome: 'done' });
    expect(rules()).not.toContain('4444');
    expect(await start('revert-firewall')).not.toBe(0);
    await until('the packet filter went back', () => (rules().includes('4444') ? true : null), 60_000);
    await until('the unit ended', () => (state(helperUnit('revert-firewall')) === 'inactive' ? true : null), 30_000);
    expect(result('revert-firewall')).toMatchObject({ outcome: 'done' });
    expect(await follow('confirm', 'ab'.repeat(16))).toMatchObject({ code: 'helper_nothing_pending' });
  });

  it('start the declared backup, and show by a restore that it can be had back', async () => {
    const { backup, restore } = site.runbooks;
    const live = (): string =>
      box.run(['sh', '-c', 'cd /srv/lab && find . -printf "%p %U %m %T@\\n" | sort; cat notes deep/more']);
    const before = live();
    expect(await ask(site.request(backup, { verb: 'run-backup' }), backup.bytes)).toMatchObject({ outcome: 'started' });
    await until(
      'there is a snapshot',
      () => (restic('snapshots', '--json').includes('/srv/lab') ? true : null),
      60_000,
    );

    const request = site.request(restore, { verb: 'restore-test' });
    const proven = await ask(request, restore.bytes);
    expect(proven, JSON.stringify(proven)).toMatchObject({
      outcome: 'done',
      details: { test: 'proven', count_listed: 2, count_restored: 2, count_identical: 2, count_different: 0 },
    });
    expect(live()).toBe(before);
    const left = 'ls -d /var/tmp/*restore-* /var/tmp/systemd-private-*/tmp/*restore-* 2>/dev/null || true';
    expect(box.run(['sh', '-c', left])).toBe('');

    // Another text of the same length and time: only the bytes tell.
    const other = 'touch -r notes /tmp/time && sed -i s/tomorrow/saturday/ notes && touch -r /tmp/time notes';
    box.run(['sh', '-c', `cd /srv/lab && ${other}`]);
    expect(await ask(request, restore.bytes)).toMatchObject({
      outcome: 'done',
      details: { test: 'disproven', reason: 'differs' },
    });
  });

  it('act in the name of a learnt rule until the daemon gives it up, and not after, whatever is handed over then', async () => {
    const rule = Buffer.from('id: learnt-one\nversion: 1\nsource: promoted\n');
    const own = Buffer.from('id: own-rule\nversion: 1\nsource: site\n');
    const { backup } = site.runbooks;
    const idOf = (bytes: Buffer): string => (bytes === rule ? 'learnt-one' : 'own-rule');
    const named = (bytes: Buffer) => ({ id: idOf(bytes), sha256: sha256Hex(bytes) });
    const { payload } = parseEnvelope(site.content(), { maxBytes: maxLineBytes('contentList') });
    const files = [
      ...parseDocument('contentList', payload).files,
      ...[rule, own].map((bytes) => ({
        ...{ path: `rules/${idOf(bytes)}.yaml`, kind: 'rule' as const, version: 1, size: bytes.length },
        ...named(bytes),
      })),
    ];
    const grants = [rule, own].map((bytes) => site.grant(backup, { grant_id: idOf(bytes), rule: named(bytes) }));
    const sync = async (version: number): Promise<HelperResult> => {
      await drop('answer', site.answer(Math.floor(Date.now() / 1_000)));
      await drop('content', site.content({ version, files }, 'routine', grants));
      await start('sync-trust');
      return result('sync-trust');
    };
    const asks = (bytes: Buffer): Promise<HelperResult> =>
      ask(site.request(backup, { verb: 'run-backup' }, { kind: 'grant', rule: named(bytes) }), backup.bytes);
    expect(await sync(2)).toMatchObject({ outcome: 'done' });
    expect(await asks(rule)).toMatchObject({ outcome: 'started' });

    await drop(GIVEN_UP_FILE, encodeGivenUp([rule, own])!);
    expect(await sync(2)).toMatchObject({ outcome: 'done', details: { rules_given_up: 1 } });
    expect(await asDaemon(['rm', join(DROP, GIVEN_UP_FILE)])).toBe(0);
    expect(await sync(3)).toMatchObject({ outcome: 'done' });
    expect(await asks(rule)).toMatchObject({ outcome: 'refused', code: 'helper_not_granted' });
    // What people wrote is theirs to take back.
    expect(await asks(own)).toMatchObject({ outcome: 'started' });
  });

  it('change nothing where the signed ruleset does not load, or does not give what is declared', async () => {
    const before = chain();
    const broken = RULESET.replace('@reached accept', '@nobody accept');
    await sign(4, healBaseline({ ...words, ruleset: broken }));
    expect(await restoreFirewall()).toMatchObject({ outcome: 'refused', code: 'helper_act_failed' });
    expect(chain()).toBe(before);
    await sign(5, healBaseline({ ...words, ruleset: RULESET.replace('oifname "lo" accept;', '') }));
    expect(await restoreFirewall()).toMatchObject({ outcome: 'refused', code: 'helper_act_failed' });
    expect(chain()).toBe(before);
    expect(state(REVERT_TIMER)).toBe('inactive');
  });
});
