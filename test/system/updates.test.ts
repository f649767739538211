// Updates of the whole system with a way back, on a machine with generations: real systemd, the units of the module, real agents, a real
// Central Command, acts that two people authorised. What stands in for Nix and the boot loader: test/support/update-lab.ts. One
// container; each test goes on from the one before it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { helperUnit } from '../../agent/helpers/verbs.ts';
import { until } from '../../tools/demo/process.ts';
import { UNIT } from '../support/update-lab-programs.ts';
import { SWITCH, updateLab, updateLabProblem, type Generation, type UpdateLab } from '../support/update-lab.ts';

const problem = updateLabProblem();
const ALWAYS = `time_zone: UTC
healing: { mode: on, runbooks: [] }
windows:
  - { days: [mon, tue, wed, thu, fri, sat, sun], start: "00:00", end: "23:59" }
  - { days: [mon, tue, wed, thu, fri, sat, sun], start: "23:58", end: "00:01" }
`;

let lab: UpdateLab;
let first: Generation;
let good: Generation;

beforeAll(async () => {
  if (problem !== null) return;
  lab = await updateLab();
  first = lab.make(1, 'none');
  good = lab.make(2, 'none');
  await lab.enrol();
  lab.run(['tee', '/root/policy.yaml'], ALWAYS);
  lab.central('policy', 'sign', '/root/policy.yaml', '--site', 'north', '--keys', lab.partnerKeys);
  lab.run(['cp', '-r', `${process.cwd()}/runbooks`, '/root/content']);
  lab.central('content', 'sign', '--dir', '/root/content', '--keys', lab.partnerKeys);
  await lab.untilStatus(
    'policy and content are in force',
    (s) => s.policy_version !== null && s.content_version !== null,
  );
  await until(
    'the helpers hold them',
    () => (heldByHelpers() ? true : null),
    60_000,
    () => lab.journal('compliance-agent-sync-trust.service'),
  );
});
beforeEach((context) => {
  context.skip(problem !== null, problem ?? '');
  // What was going on inside is gone with the container.
  context.onTestFailed(() =>
    console.error(
      lab.run(['journalctl', '-o', 'short-monotonic', '--no-pager', '-n', '250', '-u', 'compliance-agent*']),
    ),
  );
});
afterAll(() => (problem === null ? lab.close() : undefined));

const heldByHelpers = (): boolean =>
  lab.run(['ls', '/var/lib/compliance-agent-helpers']).includes('content.json') &&
  lab.run(['ls', '/var/lib/compliance-agent-helpers']).includes('policy.json');
const paramsOf = ({ closure, narHash, version }: Generation): object => ({
  closure,
  nar_hash: narHash,
  agent_version: version,
});
const update = (generation: Generation): string => lab.authorise('update_system', paramsOf(generation));
const orderStates = (): string[] =>
  lab.entries().flatMap((one) => (one.kind === 'order' ? [[one.state, one.outcome].filter(Boolean).join(' ')] : []));
const allOf = (generation: Generation): object => ({
  running: generation.closure,
  profile: generation.closure,
  next: generation.closure,
});

const REQUEST = '019e0000-0000-7000-8000-0000000000aa';
/** Waits until this generation was switched to, and is not kept yet. */
const begun = (generation: Generation): Promise<true> =>
  until(
    'the switch is under way',
    () => (lab.run(['readlink', '/run/current-system']).trim() === generation.closure ? true : null),
    90_000,
    () => lab.journal(SWITCH),
  );

/** The baseline of the content list names this system from the next signing on. */
function declare({ closure, narHash, version }: Generation): void {
  const file = join(lab.root, 'root/content/baselines/appliance.yaml');
  const update = `update: { nar_hash: '${narHash}', agent_version: ${version} }`;
  const text = readFileSync(file, 'utf8').replace(/^( +)closure: .*$/m, `$1closure: ${closure}\n$1${update}`);
  writeFileSync(file, text.replace(/^version: .*$/m, 'version: 2'));
  const rule = join(lab.root, 'root/content/rules/system-not-as-declared.yaml');
  // One look is enough then.
  writeFileSync(rule, readFileSync(rule, 'utf8').replace(/severity: \w+/, 'severity: critical'));
}
/** Of the runs of this runbook, in the log. */
const outcomes = (id: string): string[] =>
  lab.entries().flatMap((one) => (one.kind === 'action' && one.runbook?.id === id ? [one.outcome ?? one.phase] : []));

describe('an update of the system', () => {
  it('is done once the new version is healthy and reports it, and only then starts the machine', async () => {
    expect(lab.systems()).toEqual(allOf(first));
    expect(lab.status()?.agent_version).toBe(first.version);
    update(good);
    expect(await lab.untilEnded('update_system')).toMatchObject({ outcome: 'success' });
    expect(lab.systems()).toEqual(allOf(good));
    expect(lab.status()?.agent_version).toBe(good.version);
    expect(orderStates()).toEqual(['accepted', 'started', 'handed_over', 'result success']);
    expect(lab.journal(SWITCH)).toContain('switch-system: The new system is healthy, and is the one that starts');
    expect(lab.helperResult('switch-system')).toMatchObject({ outcome: 'done', details: { central: 'answered' } });
    expect(lab.journal(UNIT)).toMatch(new RegExp(`started.*version=${good.version}`));
  });

  it('that crashes after it said that it was ready does not stay: the old system is back within the gate', async () => {
    update(lab.make(3, 'crashes'));
    expect(await lab.untilEnded('update_system')).toMatchObject({ outcome: 'reverted', code: 'update_reverted' });
    expect(lab.systems()).toEqual(allOf(good));
    expect(lab.status()?.agent_version).toBe(good.version);
    expect(lab.helperResult('switch-system')).toMatchObject({
      code: 'update_reverted',
      details: { why: 'agent_crashed' },
    });
    expect(lab.journal(SWITCH)).toContain('the new system did not hold (agent_crashed); the old one is back');
  });

  it('whose agent does not even start does not stay, and the program of the old system takes the way back', async () => {
    update(lab.make(4, 'does_not_start'));
    expect(await lab.untilEnded('update_system')).toMatchObject({ outcome: 'reverted', code: 'update_reverted' });
    expect(lab.systems()).toEqual(allOf(good));
    expect(lab.helperResult('switch-system')).toMatchObject({ details: { why: 'switch_failed' } });
    expect(lab.journal(UNIT)).toContain('a broken build');
  });

  it('whose bytes are not the signed ones is not switched to', async () => {
    const other = lab.make(5, 'none');
    lab.authorise('update_system', { ...paramsOf(other), nar_hash: good.narHash });
    expect(await lab.untilEnded('update_system')).toMatchObject({ outcome: 'failed', code: 'update_differs' });
    expect(lab.systems()).toEqual(allOf(good));
  });

  it('whose switch is killed in the middle goes back by the timer that was armed before it', async () => {
    const hangs = lab.make(6, 'hangs');
    update(hangs);
    await begun(hangs);
    await lab.exec.run(['systemctl', 'kill', '--kill-whom=main', '--signal=KILL', SWITCH], { deadlineMs: 30_000 });
    expect(await lab.untilEnded('update_system')).toMatchObject({ outcome: 'reverted', code: 'update_reverted' });
    expect(lab.systems()).toEqual(allOf(good));
    expect(lab.helperResult('rollback-system')).toMatchObject({ details: { why: 'interrupted' } });
    expect(lab.status()?.agent_version).toBe(good.version);
  });

  it('that loses its power in the middle starts from the old system, and is told as reverted', async () => {
    const hangs = lab.make(7, 'hangs');
    update(hangs);
    await begun(hangs);
    await lab.cutPower();
    expect(await lab.untilEnded('update_system')).toMatchObject({ outcome: 'reverted', code: 'update_reverted' });
    expect(lab.systems()).toEqual(allOf(good));
    expect(lab.helperResult('switch-system')).toMatchObject({ details: { why: 'interrupted' } });
    expect(lab.status()?.agent_version).toBe(good.version);
  });

  it('comes by a standing grant where the signed baseline declares another system, and is a success once a look sees it', async () => {
    const granted = lab.make(8, 'none');
    declare(granted);
    const notAfter = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 19);
    const grant =
      '{ grant_id: let-update, rule: system-not-as-declared, runbook: RB-APP-PATCH-001, baseline: appliance,' +
      ` scope: appliance, class: disruptive, not_after: "${notAfter}Z" }`;
    lab.run(['tee', '/root/grants.yaml'], `grants:\n  - ${grant}\n`);
    lab.central(
      'content',
      'sign',
      '--dir',
      '/root/content',
      '--keys',
      lab.partnerKeys,
      '--grants',
      '/root/grants.yaml',
    );
    await until(
      'the run of the runbook came to its end',
      () => (outcomes('RB-APP-PATCH-001').at(-1) === 'success' ? true : null),
      180_000,
      () => JSON.stringify([outcomes('RB-APP-PATCH-001'), lab.status()?.findings, lab.status()?.healing]),
    );
    expect(outcomes('RB-APP-PATCH-001')).toEqual(['intent', 'deferred', 'success']);
    expect(lab.systems()).toEqual(allOf(granted));
    expect(lab.status()?.agent_version).toBe(granted.version);
  });

  it('cannot be had by a daemon out of its mind: not by an order that was used, a plan of its own, or the unit itself', async () => {
    const before = lab.systems();
    const line = lab.orderLine('update_system');
    const request = {
      schema: 'compliance-agent/heal-request/v1',
      request_id: REQUEST,
      verb: 'apply-update',
      order: line,
    };
    const drop = '/run/compliance-agent/drop/request';
    expect(await lab.asDaemon(['sh', '-c', `umask 027; cat > ${drop}`], JSON.stringify(request))).toBe(0);
    expect(await lab.asDaemon(['systemctl', '--no-ask-password', 'start', helperUnit('apply-update')])).not.toBe(0);
    expect(lab.helperResult('apply-update')).toMatchObject({ outcome: 'refused', details: { request_id: REQUEST } });
    const plan = '/var/lib/compliance-agent-helpers/update.json';
    expect(await lab.asDaemon(['sh', '-c', `echo '{}' > ${plan}`])).not.toBe(0);
    expect(await lab.asDaemon(['systemctl', '--no-ask-password', 'start', SWITCH])).not.toBe(0);
    expect(lab.systems()).toEqual(before);
  });
});

describe('a restart of the machine', () => {
  it('that two people authorised is done once the agent is back in another boot', async () => {
    await lab.untilStatus('the machine answers', (s) => s.last_answer_at !== null && s.last_answer_at >= s.started_at);
    const before = lab.systems();
    lab.authorise('reboot', {});
    await lab.untilRestarted();
    expect(await lab.untilEnded('reboot')).toMatchObject({ outcome: 'success' });
    expect(lab.systems()).toEqual(before);
  });
});
