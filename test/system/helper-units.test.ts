// The privileged helpers as an appliance runs them: units of the module, polkit with the module's rule, the daemon that hands
// over after a check-in, and its device key, sealed. One container; each test goes on from the one before it.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { HelperResult } from '../../agent/helpers/helper-result.ts';
import { HELPER_VERBS, helperUnit, type HelperVerb } from '../../agent/helpers/verbs.ts';
import { evaluateModule } from '../../tools/evaluate-module.ts';
import { until } from '../../tools/demo/process.ts';
import { applianceBox, applianceBoxProblem, STATE_DIR, UNIT, type ApplianceBox } from '../support/appliance-box.ts';
import { nameRoot } from '../support/heal-box.ts';

const problem =
  applianceBoxProblem() ??
  (spawnSync('sh', ['-c', 'test -x /usr/lib/polkit-1/polkitd && command -v systemd-creds']).status === 0
    ? null
    : 'needs polkitd and systemd-creds');
const DAEMON_UID = 396;
const DEADLINE_MS = 30_000;
const DROP = '/run/compliance-agent/drop';
const CREDENTIAL = '/etc/credstore.encrypted/compliance-agent.device-key';

let box: ApplianceBox;
beforeAll(async () => {
  if (problem !== null) return;
  box = await applianceBox();
  box.run(['install', '-d', '/etc/polkit-1/rules.d']);
  box.run(['tee', '/etc/polkit-1/rules.d/10-compliance-agent.rules'], evaluateModule().polkitRule);
  await box.enrol();
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => (problem === null ? box.close() : undefined));

const result = async (verb: HelperVerb): Promise<HelperResult | null> => {
  const { code, stdout } = await box.exec.run(['cat', `/run/compliance-agent/helpers/${verb}.json`], {
    deadlineMs: DEADLINE_MS,
  });
  return code === 0 ? (JSON.parse(stdout.toString()) as HelperResult) : null;
};
const untilResult = (verb: HelperVerb, when: (found: HelperResult) => boolean): Promise<HelperResult> =>
  until(
    `a result of ${verb}`,
    async () => {
      const found = await result(verb);
      return found !== null && when(found) ? found : null;
    },
    60_000,
    () => box.run(['journalctl', '-n', '60', '-o', 'cat', '--no-pager']),
  );
const asDaemon = async (...argv: [string, ...string[]]): Promise<number | null> =>
  (await box.execAs(DAEMON_UID).run(argv, { deadlineMs: DEADLINE_MS })).code;

/** Adds a line to a service, and gives what takes it out again. */
function change(unit: string, line: string): () => void {
  box.run(['install', '-d', `/run/systemd/system/${unit}.d`]);
  box.run(['tee', `/run/systemd/system/${unit}.d/change.conf`], `[Service]\n${line}\n`);
  box.run(['systemctl', 'daemon-reload']);
  return () => {
    box.run(['rm', '-r', `/run/systemd/system/${unit}.d`]);
    box.run(['systemctl', 'daemon-reload']);
  };
}
function signPolicy(yaml: string): void {
  box.run(['tee', '/root/policy.yaml'], `${yaml}\n`);
  box.central('policy', 'sign', '/root/policy.yaml', '--site', 'north', '--keys', '/root/keys');
}

describe('the helpers of an appliance', () => {
  it('refuse to begin with a root that the daemon chose, until the configuration names one', async () => {
    expect(await untilResult('sync-trust', () => true)).toMatchObject({ code: 'helper_root_unknown' });
    nameRoot(box);
    box.run(['systemctl', 'restart', UNIT]);
    expect(await untilResult('sync-trust', ({ outcome }) => outcome === 'done')).toMatchObject({
      details: { root_version: 1 },
    });
  });

  it('the daemon hands its key over, runs with the sealed one after one restart, and its file is gone', async () => {
    const key = box.status()?.fingerprint;
    const status = await box.untilStatus(
      'the key is sealed',
      (s) => s.device_key === 'host' && s.last_answer_at !== null,
    );
    expect([status.state, status.blocking_reason, status.epoch]).toEqual(['enrolled', null, null]);
    expect(status.fingerprint).toBe(key);
    expect(await result('store-device-key')).toMatchObject({ details: { sealed_with: 'host' } });
    expect(
      box
        .run(['ls', `${STATE_DIR}/keys`])
        .trim()
        .split('\n'),
    ).toEqual(['device.key.sealed', 'identity.json', 'tls.key']);
    expect(box.run(['stat', '-c', '%a %U', CREDENTIAL]).trim()).toBe('600 root');
    expect(box.run(['ls', DROP])).not.toContain('device-key');
    const sealed = box.run(['systemd-creds', 'decrypt', CREDENTIAL, '-']);
    expect(sealed).toMatch(/^sealed with host\n-----BEGIN PRIVATE KEY-----\n/);
    // Nowhere else on its disk.
    const secret = sealed.split('\n')[2] ?? '';
    const found = await box.exec.run(['grep', '-rlF', secret, STATE_DIR, '/etc', DROP], { deadlineMs: DEADLINE_MS });
    expect(found.stdout.toString()).toBe('');
  });

  it('its check of itself passes with the sealed key', async () => {
    const { findings } = await box.untilStatus('it was judged', (s) =>
      s.findings.some(({ check, read_at }) => check === 'self' && read_at >= s.started_at),
    );
    expect(findings.find(({ check }) => check === 'self')).toMatchObject({ result: 'pass' });
  });

  it('what comes while the helper is at work reaches it afterwards: systemd starts no unit that is starting', async () => {
    // It has read what was handed over, and is not done yet.
    const asBefore = change(helperUnit('sync-trust'), 'ExecStartPost=/bin/sleep 20');
    const at = (await result('sync-trust'))?.at ?? 0;
    box.run(['systemctl', 'start', '--no-block', helperUnit('sync-trust')]);
    await untilResult('sync-trust', (found) => found.at > at);
    signPolicy('time_zone: UTC');
    await box.untilStatus('the policy is in force', (s) => s.policy_version === 1);
    expect(box.run(['systemctl', 'show', helperUnit('sync-trust'), '--property=ActiveState', '--value'])).toBe(
      'activating\n',
    );
    const said = await untilResult('sync-trust', ({ sentence }) => sentence.includes('policy'));
    expect(said.sentence).toBe('The helpers hold new policy.');
    asBefore();
  });

  it('what a helper did not come to read, since systemd did not get it going, is handed over again', async () => {
    const asBefore = change(helperUnit('sync-trust'), 'ExecStartPre=/bin/false');
    const { at } = (await result('sync-trust')) ?? { at: 0 };
    signPolicy('time_zone: Europe/London');
    const failed = (): true | null =>
      box.run(['systemctl', 'show', helperUnit('sync-trust'), '--property=ActiveState', '--value']) === 'failed\n'
        ? true
        : null;
    await until('it did not start', failed, DEADLINE_MS);
    asBefore();
    expect((await result('sync-trust'))?.at).toBe(at);
    const said = await untilResult('sync-trust', (found) => found.at > at);
    expect(said.sentence).toBe('The helpers hold new policy.');
  });

  it('a daemon out of its mind gets no other key stored, whatever it hands over', async () => {
    const before = box.run(['sha256sum', CREDENTIAL]);
    const at = (await result('store-device-key'))?.at ?? 0;
    const key = spawnSync('openssl', ['genpkey', '-algorithm', 'ed25519'], { encoding: 'utf8' }).stdout;
    const put = await box
      .execAs(DAEMON_UID)
      .run(['tee', `${DROP}/device-key`], { deadlineMs: DEADLINE_MS, stdin: key });
    expect(put.code).toBe(0);
    expect(await asDaemon('systemctl', 'start', helperUnit('store-device-key'))).not.toBe(0);
    const refused = await untilResult('store-device-key', (found) => found.at > at || found.outcome === 'refused');
    expect(refused).toMatchObject({ outcome: 'refused', code: 'helper_slot_taken' });
    expect(box.run(['sha256sum', CREDENTIAL])).toBe(before);
  });

  it('lets the user of the daemon start these units and nothing else, and read nothing that they keep', async () => {
    expect(await asDaemon('systemctl', '--no-ask-password', 'start', '--no-block', helperUnit('sync-trust'))).toBe(0);
    expect(await asDaemon('systemctl', '--no-ask-password', 'stop', helperUnit('sync-trust'))).not.toBe(0);
    expect(await asDaemon('systemctl', '--no-ask-password', 'start', 'compliance-agent-facts.service')).toBe(0);
    expect(await asDaemon('systemctl', '--no-ask-password', 'start', helperUnit('revert-firewall'))).not.toBe(0);
    expect(await asDaemon('systemctl', '--no-ask-password', 'start', 'rescue.target')).not.toBe(0);
    expect(await asDaemon('ls', '/var/lib/compliance-agent-helpers')).not.toBe(0);
    expect(await asDaemon('cat', CREDENTIAL)).not.toBe(0);
    expect(await asDaemon('touch', '/run/compliance-agent/helpers/sync-trust.json')).not.toBe(0);
  });

  it('asks polkit for every unit of the module and every verb: start of those in the rule is let through, and nothing else', async () => {
    const sleeper = box.exec.run(
      ['setpriv', `--reuid=${DAEMON_UID}`, `--regid=${DAEMON_UID}`, '--clear-groups', 'sleep', '60'],
      { deadlineMs: 90_000 },
    );
    const pid = await until(
      'a process of the daemon’s user',
      () => box.run(['sh', '-c', `pgrep -u ${DAEMON_UID} -x sleep || true`]).trim() || null,
      DEADLINE_MS,
    );
    const { units, polkitRule } = evaluateModule();
    const listed = /var units = (\[.*?\]);/s.exec(polkitRule)?.[1] ?? '[]';
    const others = [
      'ssh.service',
      'rescue.target',
      'reboot.target',
      'nftables.service',
      'compliance-agent-sync-trust.servicex',
    ];
    const asked = [...Object.keys(units), ...others].flatMap((unit) => [
      `${unit} start`,
      `${unit} stop`,
      `${unit} restart`,
    ]);
    const line = (way: string): string => {
      const [unit, verb] = way.split(' ');
      const details = `--detail unit '${unit}' --detail verb ${verb}`;
      return `pkcheck --action-id org.freedesktop.systemd1.manage-units --process ${pid} ${details} >/dev/null 2>&1 && echo '${way}'`;
    };
    const allowed = box
      .run(['sh', '-c', `${asked.map(line).join('\n')}\ntrue`])
      .trim()
      .split('\n');
    expect(allowed.toSorted()).toEqual((JSON.parse(listed) as string[]).map((unit) => `${unit} start`).toSorted());
    expect(allowed.length).toBeGreaterThan(5);
    box.run(['kill', pid]);
    await sleeper;
  });

  it('the unit for the clock reads it under its sandbox, and does not touch one that is right', async () => {
    expect(HELPER_VERBS).toContain('set-clock');
    await box.exec.run(['systemctl', 'start', helperUnit('set-clock')], { deadlineMs: DEADLINE_MS });
    expect(await untilResult('set-clock', () => true)).toMatchObject({ code: 'helper_time_unneeded' });
  });
});
