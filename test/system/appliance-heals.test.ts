// The appliance heals itself by standing grants, on real parts: the daemon in its unit, its helpers, systemd, polkit, nft, restic and
// journald in a booted container, and a real Central Command that signed content list and site policy. Nobody orders anything. Each
// fix once works and once does not. One container; each test goes on from the one before it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { incidentOf } from '../../agent/healing/incident-store.ts';
import type { Incident, IncidentState } from '../../agent/healing/incident.ts';
import type { Ticket } from '../../agent/outputs/ticket.ts';
import { openStore, type Store } from '../../agent/store/open-store.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import { until } from '../../tools/demo/process.ts';
import { evaluateModule } from '../../tools/evaluate-module.ts';
import { applianceBox, applianceBoxProblem, STATE_DIR, type ApplianceBox } from '../support/appliance-box.ts';
import { DISKS_IN_CLEAR, editFile, healBaseline, RULESET } from '../support/heal-fixtures.ts';
import { agentJournal, nameRoot, tableDigest, untilHelpersHold } from '../support/heal-box.ts';
import { CHECKOUT } from '../support/nspawn.ts';

const problem =
  applianceBoxProblem() ??
  (spawnSync('sh', ['-c', 'test -x /usr/lib/polkit-1/polkitd && command -v nft && command -v restic']).status === 0
    ? null
    : 'needs polkitd, nft and restic');
const WITHIN_MS = 240_000;
const CONTENT = '/root/content';
/** Root's timers read the facts, with less patience here. An empty value resets all times of a timer. */
const SOON = '[Timer]\nOnUnitInactiveSec=\nOnActiveSec=0\nOnUnitInactiveSec=4\n';
const BASELINE = '/etc/compliance-agent/baseline.yaml';
const AV_PROGRAM = '/opt/lab-av/avd';
const REPOSITORY = '/var/lib/lab-repository';
const FORWARDED = '/var/log/lab-forwarded';
/** Like the other one, and with no way out, not even to this machine itself. */
const CUTTING_OFF = RULESET.replace('oifname "lo" accept; ', '');
/** People signed it, and nft reads none of it. */
const NO_RULESET = RULESET.replace('policy drop', 'policy dorp');
/** Rule → what it runs. */
const HEALED = {
  'av-service-stopped': 'AV',
  'firewall-changed': 'FIREWALL',
  'log-forwarder-stopped': 'LOGGING',
  'backup-stale': 'BACKUP',
} as const;
type RuleId = keyof typeof HEALED;

let box: ApplianceBox;
const journal = (): string => agentJournal(box);
const state = (unit: string, property = 'ActiveState'): string =>
  box.run(['systemctl', 'show', unit, `--property=${property}`, '--value']).trim();
const chain = (): string => box.run(['nft', 'list', 'chain', 'inet', 'lab', 'output']);
const restic = (...words: string[]): string =>
  box.run([
    'restic',
    '--no-cache',
    '--repository-file=/etc/lab/repository',
    '--password-file=/etc/lab/password',
    ...words,
  ]);
const unit = (name: string, lines: string): void => {
  box.run(['tee', `/etc/systemd/system/${name}`], `[Service]\n${lines}\n`);
  box.run(['systemctl', 'daemon-reload']);
};

/**
 * Signs what ships, with shorter times, rules that one look is enough for, and a grant for each; both the daemon and the helpers take
 * it. Each list has runbooks of its own: what changed the appliance minutes ago is cooling down.
 */
async function sign(version: number, ruleset: string, digest = tableDigest(box, ruleset)): Promise<void> {
  const avSha256 = createHash('sha256')
    .update(readFileSync(join(box.root, AV_PROGRAM)))
    .digest('hex');
  const tables = `{ family: inet, name: lab, sha256: '${digest}' }`;
  const declared = healBaseline({ version, avSha256, tables, ruleset }).toString();
  const baseline = `${declared
    .replace('persistent_required: true', 'persistent_required: false')
    .replace(/(forwarder: .*)/, '$1\n    stability: { restarts: 3, minutes: 10 }')}${DISKS_IN_CLEAR}`;
  const inside = join(box.root, CONTENT);
  rmSync(inside, { recursive: true, force: true });
  mkdirSync(join(inside, 'baselines'), { recursive: true });
  writeFileSync(join(inside, 'baselines/appliance.yaml'), baseline);
  writeFileSync(join(box.root, BASELINE), baseline);
  mkdirSync(join(inside, 'rules'));
  const grants: string[] = [];
  for (const [rule, name] of Object.entries(HEALED)) {
    const id = `RB-APP-${name}-00${version}`;
    cpSync(join(CHECKOUT, `runbooks/appliance/RB-APP-${name}-001`), join(inside, 'appliance', id), { recursive: true });
    editFile(
      join(inside, 'appliance', id, 'runbook.yaml'),
      [`RB-APP-${name}-001`, id],
      // A backup that takes longer than this goes on by itself.
      [/within_s: \d+/g, name === 'BACKUP' ? 'within_s: 2' : 'within_s: 15'],
      [/stable_for_s: [1-9]\d*/g, 'stable_for_s: 3'],
    );
    cpSync(join(CHECKOUT, 'runbooks/rules', `${rule}.yaml`), join(inside, 'rules', `${rule}.yaml`));
    editFile(
      join(inside, 'rules', `${rule}.yaml`),
      [/severity: \w+/g, 'severity: critical'],
      [/max_attempts: \d/g, 'max_attempts: 1'],
      [`RB-APP-${name}-001`, id],
    );
    const date = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 19);
    grants.push(
      `  - { grant_id: let-${rule}, rule: ${rule}, runbook: ${id}, baseline: appliance, scope: appliance, class: routine, not_after: "${date}Z" }`,
    );
  }
  for (const rule of ['encryption-missing', 'av-program-changed', 'log-forwarder-flapping']) {
    cpSync(join(CHECKOUT, 'runbooks/rules', `${rule}.yaml`), join(inside, 'rules', `${rule}.yaml`));
  }
  writeFileSync(join(box.root, 'root/grants.yaml'), `grants:\n${grants.join('\n')}\n`);
  const { sha256 } = box.central(
    ...['content', 'sign', '--dir', CONTENT, '--keys', '/root/keys', '--grants', '/root/grants.yaml'],
  );
  await untilHelpersHold(box, sha256, WITHIN_MS);
}

/** Read beside the running daemon, as the command line reads it. */
function reading<T>(read: (store: Store) => T): T {
  const store = openStore({ dir: join(box.root, STATE_DIR), clock: { wallMs: () => Date.now() }, readOnly: true });
  try {
    return read(store);
  } finally {
    store.close();
  }
}
const incident = (rule: string): Incident | null =>
  reading(({ incidents }) =>
    incidents
      .list({ limit: 100 })
      .map(incidentOf)
      .find(({ condition }) => condition === rule),
  ) ?? null;
const story = (rule: string): string[] =>
  reading(({ incidents }) => incidents.lines(incident(rule)?.id ?? '').map(({ what }) => what));
const tickets = (check: string): Ticket[] =>
  reading(({ tickets: all }) =>
    all
      .all()
      .map((text) => JSON.parse(text) as Ticket)
      .filter(({ key }) => key === `finding/appliance/${check}`),
  );
/** Results of runs of this incident, oldest first. */
const results = (rule: RuleId): PredicateOf<'action'>[] =>
  reading(({ entries }) =>
    entries
      .list(1, { limit: 100_000, newestFirst: false })
      .flatMap(({ line }) => {
        const { predicate } = statementOf(line.toString());
        return predicate.kind === 'action' ? [predicate] : [];
      })
      .filter(({ incident_id: id, phase }) => id === incident(rule)?.id && phase === 'result'),
  );
const untilState = (rule: string, wanted: IncidentState): Promise<Incident> =>
  until(
    `the incident ${rule} is ${wanted}`,
    () => {
      const found = incident(rule);
      return found?.state === wanted ? found : null;
    },
    WITHIN_MS,
    () => JSON.stringify([incident(rule), story(rule), box.status()?.findings, journal()]),
  );

beforeAll(async () => {
  if (problem !== null) return;
  box = await applianceBox();
  box.run(['install', '-d', '/etc/polkit-1/rules.d', '/etc/lab', '/srv/lab']);
  box.run(['tee', '/etc/polkit-1/rules.d/10-compliance-agent.rules'], evaluateModule().polkitRule);
  box.run(['install', '-D', '-m', '0755', '/usr/bin/sleep', AV_PROGRAM]);
  unit('lab-av.service', `ExecStart=${AV_PROGRAM} infinity`);
  unit(
    'lab-forwarder.service',
    `ExecStart=/bin/sh -c 'exec journalctl --follow --lines=0 --output=cat --identifier=compliance-agent-canary >> ${FORWARDED}'`,
  );
  const environment = 'Environment=RESTIC_REPOSITORY_FILE=/etc/lab/repository RESTIC_PASSWORD_FILE=/etc/lab/password\n';
  unit(
    'lab-backup.service',
    `Type=oneshot\n${environment}ExecStartPre=/bin/sleep 8\nExecStart=/usr/bin/restic --no-cache backup /srv/lab`,
  );
  box.run(['tee', '/etc/lab/repository'], `${REPOSITORY}\n`);
  box.run(['tee', '/etc/lab/password'], 'correct horse battery staple\n');
  // Root's alone, as on an appliance.
  box.run(['chmod', '0600', '/etc/lab/repository', '/etc/lab/password']);
  // Some minutes for who reads it slowly.
  box.run(['dd', 'if=/dev/urandom', 'of=/srv/lab/pictures', 'bs=1024', 'count=400', 'status=none']);
  restic('init');
  restic('backup', '/srv/lab');
  for (const name of ['lab-av.service', 'lab-forwarder.service']) box.run(['systemctl', 'start', name]);
  box.run(['nft', '-f', '-'], RULESET);
  for (const name of ['compliance-agent-facts', 'compliance-agent-facts-backup']) {
    box.run(['install', '-d', `/etc/systemd/system/${name}.timer.d`]);
    box.run(['tee', `/etc/systemd/system/${name}.timer.d/soon.conf`], SOON);
  }
  box.run(['systemctl', 'daemon-reload']);
  writeFileSync(join(box.root, BASELINE), healBaseline());
  box.run(['tee', '-a', '/etc/compliance-agent/config.yaml'], `\nbaseline_path: ${BASELINE}\n`);
  await box.enrol();
  nameRoot(box);
  box.run(['tee', '/root/policy.yaml'], 'time_zone: UTC\nhealing: { mode: on, runbooks: [] }\n');
  box.central('policy', 'sign', '/root/policy.yaml', '--site', 'north', '--keys', '/root/keys');
  await sign(1, RULESET);
  for (const name of ['compliance-agent-facts', 'compliance-agent-facts-backup']) {
    box.run(['systemctl', 'start', `${name}.timer`]);
  }
});
beforeEach((context) => context.skip(problem !== null, problem ?? ''));
afterAll(() => (problem === null ? box.close() : undefined));

describe('the appliance, by standing grants', () => {
  it('heals nothing where nothing drifted, and passes a backup that only root can read, once root’s jobs have proven it', async () => {
    const judged = (check: string) => box.status()?.findings.find((finding) => finding.check === check);
    await until(
      'all is judged',
      () => {
        const passes = ['firewall', 'av_edr', 'logging'].every((check) => judged(check)?.result === 'pass');
        return passes && judged('backup')?.result === 'fail' ? true : null;
      },
      WITHIN_MS,
      () => JSON.stringify([box.status()?.findings, journal()]),
    );
    // What nobody has proven yet is for people; that its snapshot is recent, root saw for the daemon.
    expect(judged('backup')?.sentence).toMatch(/its job never ran/);
    for (const job of ['backup-check', 'backup-restore-test']) {
      box.run(['systemctl', 'start', `compliance-agent-${job}.service`]);
    }
    await until(
      'what root proved is taken',
      () => (judged('backup')?.result === 'pass' ? true : null),
      WITHIN_MS,
      () => JSON.stringify([judged('backup'), journal()]),
    );
    expect(reading(({ runs }) => runs.list(10))).toEqual([]);
  });

  it('starts a dead scanner again, and a look of its own sees it', async () => {
    box.run(['systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'lab-av.service']);
    await untilState('av-service-stopped', 'healed');
    expect(state('lab-av.service')).toBe('active');
    expect(story('av-service-stopped')).toEqual(['seen', 'acting', 'verifying', 'healed']);
    expect(results('av-service-stopped')).toMatchObject([
      { outcome: 'success', pre_state: { service: 'failed' }, post_state: { service: 'active', running: 'declared' } },
    ]);
  });

  it('loads the signed packet filter again after somebody changed it by hand', async () => {
    box.run(['nft', 'flush chain inet lab output; add rule inet lab output accept']);
    await untilState('firewall-changed', 'healed');
    expect(chain()).toContain('ip daddr . tcp dport @reached accept');
    expect(state('compliance-agent-revert-firewall.timer')).toBe('inactive');
    expect(results('firewall-changed')).toMatchObject([
      { outcome: 'success', pre_state: { tables_changed: 1 }, post_state: { tables_changed: 0 } },
    ]);
  });

  it('starts the log forwarder again, and the canary arrives at its other end', async () => {
    box.run(['systemctl', 'stop', 'lab-forwarder.service']);
    box.run(['truncate', '--size=0', FORWARDED]);
    await untilState('log-forwarder-stopped', 'healed');
    const before = state('systemd-journald.service', 'MainPID');
    expect(state('lab-forwarder.service')).toBe('active');
    const arrived = (): true | null =>
      readFileSync(join(box.root, FORWARDED), 'utf8').includes('canary of the compliance agent') ? true : null;
    await until('a canary arrives', arrived, WITHIN_MS, journal);
    expect(results('log-forwarder-stopped')).toMatchObject([
      { outcome: 'success', post_state: { forwarder: 'active', canary: 'seen' } },
    ]);
    expect(state('systemd-journald.service', 'MainPID')).toBe(before);
  });

  it('starts an overdue backup, calls it deferred while that works, and healed once its snapshot is seen', async () => {
    const [only] = JSON.parse(restic('snapshots', '--json')) as { id: string }[];
    restic('backup', '/srv/lab', '--time', '2026-01-01 00:00:00');
    restic('forget', only?.id ?? '');
    await untilState('backup-stale', 'verifying');
    await untilState('backup-stale', 'healed');
    // Whichever look is first ends the incident; the run has an end of its own.
    await until('the run ended', () => (results('backup-stale').length > 1 ? true : null), WITHIN_MS, journal);
    expect(JSON.parse(restic('snapshots', '--json'))).toHaveLength(2);
    expect(results('backup-stale').map(({ outcome, code }) => [outcome, code])).toEqual([
      ['deferred', 'runbook_started'],
      ['success', undefined],
    ]);
    expect(results('backup-stale')[1]).toMatchObject({ post_state: { snapshot: 'fresh', snapshot_hours: 0 } });
  });

  it('never encrypts: a volume in clear is a ticket, and nothing was begun', async () => {
    await untilState('encryption-missing', 'ticketed');
    const [ticket] = await until(
      'a ticket',
      () => {
        const found = tickets('encryption');
        return found.length > 0 ? found : null;
      },
      WITHIN_MS,
      journal,
    );
    expect(ticket).toMatchObject({ state: 'open', severity: 'critical' });
    expect(story('encryption-missing')).not.toContain('acting');
  });
});

describe('a fix of the appliance that does not work', () => {
  it('goes to people where the signed packet filter does not load, and what was there stays in force', async () => {
    const before = chain();
    await sign(2, NO_RULESET, 'ee'.repeat(32));
    await untilState('firewall-changed', 'ticketed');
    expect(chain()).toBe(before);
    expect(state('compliance-agent-revert-firewall.timer')).toBe('inactive');
    expect(results('firewall-changed').at(-1)).toMatchObject({ outcome: 'failed', code: 'helper_act_failed' });
  });

  it('is taken back where the signed packet filter cuts Central Command off, and goes to people', async () => {
    // Its table is another one now: found without anybody's hand.
    const before = chain();
    const known = results('firewall-changed').length;
    await sign(3, CUTTING_OFF);
    await until(
      'it was tried again',
      () => (results('firewall-changed').length > known ? true : null),
      WITHIN_MS,
      journal,
    );
    await untilState('firewall-changed', 'ticketed');
    expect(chain()).toBe(before);
    expect(story('firewall-changed').slice(-3)).toEqual(['verifying', 'reverted', 'ticketed']);
    expect(results('firewall-changed').at(-1)).toMatchObject({
      ...{ outcome: 'reverted', code: 'runbook_reverted' },
      actions: ['ran the helper restore-firewall', 'ran the way back of the helper restore-firewall'],
    });
  });

  it('goes to people where the scanner dies again', async () => {
    unit('lab-av.service', `ExecStart=${AV_PROGRAM} 2`);
    box.run(['systemctl', 'stop', 'lab-av.service']);
    await untilState('av-service-stopped', 'ticketed');
    expect(results('av-service-stopped').at(-1)).toMatchObject({ outcome: 'failed', code: 'runbook_not_verified' });
    expect(story('av-service-stopped').slice(-4)).toEqual(['acting', 'verifying', 'failed', 'ticketed']);
  });

  it('goes to people where the log forwarder does not come up', async () => {
    // Of a program that ends at once, systemd may say for a moment that it was started.
    unit('lab-forwarder.service', 'ExecStartPre=/bin/false\nExecStart=/bin/sleep infinity');
    box.run(['systemctl', 'stop', 'lab-forwarder.service']);
    await untilState('log-forwarder-stopped', 'ticketed');
    expect(results('log-forwarder-stopped').at(-1)).toMatchObject({ outcome: 'failed', code: 'helper_act_failed' });
  });

  it('is not even tried where a service ends again and again: systemd started it often enough', async () => {
    unit('lab-forwarder.service', 'ExecStart=/bin/sleep 0.2\nRestart=always\nRestartSec=200ms');
    editFile(join(box.root, 'etc/systemd/system/lab-forwarder.service'), [
      '[Service]',
      '[Unit]\nStartLimitIntervalSec=0\n[Service]',
    ]);
    box.run(['systemctl', 'daemon-reload']);
    const before = results('log-forwarder-stopped').length;
    box.run(['systemctl', 'start', 'lab-forwarder.service']);
    await untilState('log-forwarder-flapping', 'ticketed');
    expect(results('log-forwarder-stopped')).toHaveLength(before);
    expect(story('log-forwarder-flapping')).toEqual(['seen', 'ticketed']);
    box.run(['systemctl', 'stop', 'lab-forwarder.service']);
  });

  it('goes to people where the repository of the backup is locked, as soon as the service has given up', async () => {
    // Another program that holds it for itself: it reads what is stored at 1 KiB a second.
    const environment = ['RESTIC_REPOSITORY_FILE=/etc/lab/repository', 'RESTIC_PASSWORD_FILE=/etc/lab/password'];
    const holder = ['restic', '--no-cache', '--limit-download=1', 'check', '--read-data'];
    box.run(['systemd-run', '--quiet', ...environment.map((one) => `--setenv=${one}`), ...holder]);
    await until('it is locked', () => (box.run(['ls', `${REPOSITORY}/locks`]) === '' ? null : true), WITHIN_MS);
    for (const { id, time } of JSON.parse(restic('snapshots', '--json', '--no-lock')) as {
      id: string;
      time: string;
    }[]) {
      if (!time.startsWith('2026-01')) box.run(['rm', '-f', `${REPOSITORY}/snapshots/${id}`]);
    }
    await untilState('backup-stale', 'ticketed');
    expect(state('lab-backup.service')).toBe('failed');
    expect(
      results('backup-stale')
        .slice(2)
        .map(({ outcome, code }) => [outcome, code]),
    ).toEqual([
      ['deferred', 'runbook_started'],
      ['failed', 'runbook_not_verified'],
    ]);
    // Tickets are made of what was found by a stage of their own.
    await until('its ticket', () => (tickets('backup').length > 0 ? true : null), WITHIN_MS, journal);
    const all = ['av_edr', 'firewall', 'logging', 'backup'].map((check) => tickets(check).length);
    expect(all).toEqual([1, 1, 1, 1]);
  });
});
