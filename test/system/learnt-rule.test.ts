// A learnt rule from the drift that it is learnt from to its end, and what a lost database does to healing: a real Central Command with two
// persons, a real daemon, a Windows server of the lab.
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WINDOWS_CHECKS } from '../../agent/checks/windows/registry.ts';
import { loadRunbook } from '../../agent/execution/load-runbook.ts';
import { patternIn } from '../../agent/healing/learning/pattern-store.ts';
import { recordOccurrence, recordResolution, type LearningDeps } from '../../agent/healing/learning/record-case.ts';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import { run, until } from '../../tools/demo/process.ts';
import { APPLIANCE } from '../../tools/demo/site.ts';
import { healingHost, PARTS } from '../lab/healing-host.ts';
import { startWinRmServer, type WinRmServer } from '../lab/winrm-server/start-winrm-server.ts';
import { demoSite, REPO } from '../support/demo-site.ts';
import { ACCOUNT, healingSite, WINDOWS } from '../support/healing-site.ts';
import { uuidOf } from '../support/trust-fixtures.ts';

const PATIENCE_MS = 180_000;
const ON = '{ mode: on, runbooks: [] }';
const AV = PARTS.av;

interface Shown {
  readonly pattern: string;
  readonly occurrences: number;
  readonly standing: string;
}

describe('what a site learns, and what it forgets', { timeout: 900_000 }, () => {
  const site = demoSite([], ['Alice Ames', 'Bob Brown']);
  const dir = join(site.paths.state, '..');
  const host = healingHost({ firewall: true, logging: true, av: true });
  const healing = healingSite(site, dir, REPO);
  const content = join(dir, 'content');
  let machine: WinRmServer;

  const patterns = async (): Promise<Shown[]> =>
    (JSON.parse((await site.cli('learning', 'list', '--json')).output) as { patterns: Shown[] }).patterns;
  const said = (): PredicateOf<'learning'>[] =>
    healing.entries().flatMap((one) => (one.kind === 'learning' ? [one] : []));
  const learnt = <T>(what: string, find: () => T | null): Promise<T> =>
    until(what, find, PATIENCE_MS, () => JSON.stringify([said(), host.phases.slice(-20)]));
  const signWithGrants = (): Promise<unknown> =>
    site.central(
      ...['content', 'sign', '--dir', content, '--keys', site.paths.keys, '--grants', join(dir, 'grants.yaml')],
    );

  const persons = ['alice-ames', 'bob-brown'];
  /** A folder with the key of one person. */
  function folderOf(person: string): string {
    const keys = join(dir, person);
    mkdirSync(keys, { recursive: true, mode: 0o700 });
    copyFileSync(join(site.paths.keys, `operator-${person}.pem`), join(keys, `operator-${person}.pem`));
    return keys;
  }

  /** Both persons sign, each with a folder of keys of their own. */
  async function authorise(params: object): Promise<void> {
    const file = join(dir, `authorise-${performance.now()}.json`);
    const draft = ['authorise', 'draft', '--appliance', APPLIANCE, '--kind', 'set_healing', '--out', file];
    await site.central(...draft, '--params', JSON.stringify(params));
    for (const person of persons) {
      const keys = folderOf(person);
      const argv = [
        process.execPath,
        join(REPO, 'central/main.ts'),
        'authorise',
        'sign',
        file,
        '--keys',
        keys,
        '--yes',
      ];
      expect((await run(argv as [string, ...string[]], { cwd: dir })).code).toBe(0);
    }
    await site.central('authorise', 'publish', file);
  }

  beforeAll(async () => {
    machine = await startWinRmServer({ users: [ACCOUNT], handler: host.handler });
    await site.provision();
    site.startAgent();
    await site.confirm();
    await healing.addTarget(machine.port);
    await healing.signContent(['firewall']);
    // Nobody has written a rule for protection that is off.
    rmSync(join(content, 'rules/windows-av-off.yaml'));
    await signWithGrants();
    await healing.signPolicy({ windows: WINDOWS.open(), healing: ON });
    await site.untilStatus('the second list is in force', ({ content_version: version }) => version === 2);
  }, 400_000);
  afterAll(() => machine.close());

  it('counts drift by itself, hands out the rule, tries it once on one target with a ticket, and stops using it', async () => {
    host.good.av = false;
    const pattern = await until(
      'the daemon counts the drift',
      async () => (await patterns()).find(({ occurrences }) => occurrences === 1)?.pattern ?? null,
      PATIENCE_MS,
    );
    await site.endAgent('SIGTERM');
    // What would take five weeks: the same drift four times more, and three orders that carried out a plan.
    const store = openStore({ dir: site.paths.state, clock: systemClock });
    const { runbook, sha256 } = loadRunbook(join(content, 'windows', AV), WINDOWS_CHECKS);
    const deps = { store, evidence: { append: () => undefined } } as unknown as LearningDeps;
    const row = store.learning.pattern(pattern);
    if (row === null) throw new Error('there is no pattern');
    const at = row.firstAt;
    for (const n of [1, 2, 3, 4])
      recordOccurrence(deps, { pattern: patternIn(row), incidentId: uuidOf(n), at, time: 0 });
    for (const n of [1, 2, 3]) {
      recordResolution(deps, {
        ...{ pattern: patternIn(row), incidentId: uuidOf(n), at, runId: uuidOf(90 + n), tier: 'l2', params: {} },
        ...{ runbook: { id: runbook.id, sha256 }, result: { outcome: 'success', code: null }, durationMs: 9_000 },
      });
    }
    store.close();
    site.startAgent();
    await site.untilStatus(
      'it is answered again',
      (s) => s.last_answer_at !== null && s.blocking_reason === null,
      PATIENCE_MS,
    );

    const approved = await site.cli('learning', 'approve', pattern, '--dir', content, '--json');
    const { rule, grant } = JSON.parse(approved.output) as { rule: string; grant: string };
    const first = await learnt(
      'the approval is in the log',
      () => said().find(({ state }) => state === 'approved') ?? null,
    );
    expect(first.pattern_sha256).toBe(pattern);
    // Nothing is in force by that.
    expect(host.phases.filter((phase) => phase.startsWith('av ') && phase !== 'av detect')).toEqual([]);

    host.undone.add('av');
    // Who signs may say it otherwise: here one look is enough.
    writeFileSync(rule, readFileSync(rule, 'utf8').replace('severity: medium', 'severity: critical'));
    appendFileSync(join(dir, 'grants.yaml'), readFileSync(grant, 'utf8'));
    await signWithGrants();
    await learnt(
      'it did not hold, and is not used any more',
      () => said().find(({ state }) => state === 'demoted') ?? null,
    );
    expect(said().map(({ state, statistics }) => [state, statistics['tried'], statistics['verified']])).toEqual([
      ['approved', 3, 3],
      ['canary', 0, 0],
      ['demoted', 1, 0],
    ]);
    expect(host.phases.filter((phase) => /^av (?:remediate|rollback)$/.test(phase))).toEqual(['av remediate']);
    const entries = healing.entries();
    const intent = entries.findIndex(
      (one) => one.kind === 'action' && one.phase === 'intent' && one.runbook?.id === AV,
    );
    const told = entries.findIndex((one) => one.kind === 'ticket' && one.sentence.includes('windows_av'));
    expect([told >= 0, told < intent]).toEqual([true, true]);

    await site.endAgent('SIGKILL');
    site.startAgent();
    await site.untilStatus(
      'people are told of the rule',
      () => healing.entries().some((one) => one.kind === 'alert' && one.code === 'learnt_rule_demoted'),
      PATIENCE_MS,
    );
    expect((await patterns()).find((one) => one.pattern === pattern)?.standing).toBe('demoted');
    const looks = host.phases.length;
    await until(
      'it is looked at again',
      () => (host.phases.slice(looks).includes('av detect') ? true : null),
      PATIENCE_MS,
    );
    expect(host.phases.slice(looks).filter((phase) => phase === 'av remediate')).toEqual([]);
  });

  it('heals nothing by itself after its database is deleted, whoever confirms the new epoch, until two persons enable it', async () => {
    await site.issue('set_healing', { action: 'pause' });
    await site.untilStatus('it is paused', (s) => (s.healing?.paused_by_order ?? 0) > 0, PATIENCE_MS);
    host.good.firewall = false;
    await healing.untilState('firewall', 'waiting', PATIENCE_MS);
    await site.endAgent('SIGTERM');
    // The pause goes with the file.
    for (const part of ['', '-wal', '-shm']) rmSync(join(site.paths.state, `agent.db${part}`), { force: true });
    site.startAgent();
    // It repeats check-in counters of this boot, and is answered once it is past those that were used.
    await site.untilStatus(
      'the next epoch is bound',
      ({ epoch, blocking_reason: blocked }) => epoch?.status === 'provisional' && blocked === null,
      PATIENCE_MS,
    );
    const changes = (): string[] =>
      host.phases.filter((phase) => /^firewall (?:remediate|confirm|rollback)$/.test(phase));
    const held = async (): Promise<void> => {
      const before = host.phases.length;
      const looks = (): number => host.phases.slice(before).filter((phase) => phase === 'firewall detect').length;
      await until(
        'it is looked at twice more',
        () => (looks() >= 2 ? true : null),
        PATIENCE_MS,
        () => JSON.stringify([host.phases.slice(before), site.status()?.healing, site.status()?.targets]),
      );
      await until(
        'the epoch holds it back',
        () => (healing.incident('firewall')?.held?.guard === 'epoch' ? true : null),
        PATIENCE_MS,
        () => JSON.stringify([healing.incident('firewall'), healing.story('firewall')]),
      );
      expect(changes()).toEqual([]);
    };
    expect(site.status()?.healing).toMatchObject({ paused_by_order: null, memory_lost: true });
    await until(
      'people are told',
      async () => ((await site.cli('tickets', 'list', '--json')).output.includes('healing_memory_lost') ? true : null),
      PATIENCE_MS,
    );
    // Into an epoch that people have not confirmed Central Command sends no targets; into this one it does.
    expect(site.status()?.targets).toEqual([]);
    for (const person of persons)
      await site.central('appliance', 'confirm-epoch', APPLIANCE, '--keys', folderOf(person));
    await site.untilStatus('the epoch is confirmed', ({ epoch }) => epoch?.status === 'confirmed', PATIENCE_MS);
    await held();
    const { id } = await healing.untilState('firewall', 'waiting');
    const explained = (await site.cli('healing', 'explain', id)).output;
    expect(explained).toContain('the epoch of the log is one that nobody ordered');

    await site.endAgent('SIGKILL');
    site.startAgent();
    await site.untilStatus(
      'it is answered again',
      (s) => s.last_answer_at !== null && s.blocking_reason === null,
      PATIENCE_MS,
    );
    await held();
    await expect(site.issue('set_healing', { action: 'enable' })).rejects.toThrow(/authorisation/);

    await authorise({ action: 'enable' });
    await healing.untilState('firewall', 'healed', PATIENCE_MS);
    expect(changes()).toEqual(['firewall remediate', 'firewall confirm']);
    await site.untilStatus('nothing is held any more', (status) => status.healing?.memory_lost === false, PATIENCE_MS);
  });
});
