// Healing by the daemon as it is delivered: real Central Command, real WinRM, a Windows server of the lab that drifts.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import type { Ticket } from '../../agent/outputs/ticket.ts';
import { until } from '../../tools/demo/process.ts';
import { healingHost, PARTS, type Part } from '../lab/healing-host.ts';
import { startWinRmServer, type WinRmServer } from '../lab/winrm-server/start-winrm-server.ts';
import { demoSite, REPO } from '../support/demo-site.ts';
import { ACCOUNT, healingSite, WINDOWS } from '../support/healing-site.ts';

const PATIENCE_MS = 90_000;
const ON = '{ mode: on, runbooks: [] }';

describe('a daemon that heals', () => {
  const site = demoSite();
  const host = healingHost({ firewall: false, logging: true, av: true });
  const healing = healingSite(site, join(site.paths.state, '..'), REPO);
  let machine: WinRmServer;
  const untilTicket = (check: string, when: (ticket: Ticket) => boolean): Promise<Ticket> =>
    until(
      `a ticket about ${check}`,
      () => healing.tickets(check).find(when) ?? null,
      PATIENCE_MS,
      () => JSON.stringify([healing.tickets(check), host.phases.slice(-30)]),
    );
  const changes = (part: Part): string[] =>
    host.phases.filter((phase) => phase.startsWith(`${part} `) && !/detect|verify|plan/.test(phase));
  const actions = (part: Part): PredicateOf<'action'>[] =>
    healing.entries().flatMap((one) => (one.kind === 'action' && one.runbook?.id === PARTS[part] ? [one] : []));

  beforeAll(async () => {
    machine = await startWinRmServer({ users: [ACCOUNT], handler: host.handler });
    await site.provision();
    site.startAgent();
    await site.confirm();
    await healing.addTarget(machine.port);
    await healing.signContent([]);
    await healing.signPolicy({ windows: WINDOWS.closed(), healing: ON });
  });
  afterAll(() => machine.close());

  it('leaves to people what nobody has granted, in one ticket each, and changes nothing', async () => {
    await healing.untilState('firewall', 'ticketed', PATIENCE_MS);
    await untilTicket('windows_firewall', ({ state }) => state === 'open');
    expect(healing.tickets('windows_firewall')).toHaveLength(1);
    expect(changes('firewall')).toEqual([]);
    const explained = await site.cli('healing', 'explain', (await healing.untilState('firewall', 'ticketed')).id);
    expect(explained.output).toContain('the guard authority: nobody has granted');
  });

  it('takes it up by itself when a grant is signed, undoes what does not hold, and says in the ticket what it tried', async () => {
    await healing.signContent(['firewall', 'logging', 'av']);
    await site.untilStatus('the grants are in force', ({ content_version: version }) => version === 2);
    host.undone.add('logging');
    host.good.logging = false;
    const ticket = await untilTicket('windows_logging', ({ tried }) =>
      (tried ?? []).some((line) => line.includes('1 runs failed')),
    );
    expect(ticket.tried?.join()).toContain(
      'it did not hold and was rolled back: changed security_max_mib from 20 to 192',
    );
    expect(healing.tickets('windows_logging')).toHaveLength(1);
    expect(changes('logging')).toEqual(['logging remediate', 'logging rollback']);
    const [intent, result] = actions('logging');
    expect([intent?.phase, result?.phase, result?.outcome]).toEqual(['intent', 'result', 'reverted']);
    const { id } = await healing.untilState('logging', 'ticketed');
    expect([intent?.incident_id, result?.incident_id]).toEqual([id, id]);
    const said = healing
      .entries()
      .flatMap((one) => (one.kind === 'incident' && one.incident_id === id ? [one.sentence] : []));
    expect(said.join('\n')).toContain(
      'the rule windows-audit-incomplete and the grant let-logging let RB-WIN-LOGGING-001 be run',
    );
    // Each line of the story rests on an entry of the log.
    for (const line of healing.story('logging')) expect(line).toMatchObject({ evidenceSeq: expect.any(Number) });
  });

  it('defers what is disruptive to the window, is held back by a pause by hand, then heals and verifies', async () => {
    const deferred = await healing.untilState('firewall', 'waiting', PATIENCE_MS);
    expect(deferred.nextStepAt).toBeGreaterThan(Date.now() / 1_000 + 3_600);
    const paused = await site.cli('healing', 'pause', '--for', '16s', '--json');
    expect(JSON.parse(paused.output)).toMatchObject({ for_s: 16, daemon_running: true });
    await site.untilStatus('the pause is in force', (s) => (s.healing?.paused_by_hand ?? 0) > 0);
    await healing.signPolicy({ windows: WINDOWS.open(), healing: ON });
    await until(
      'the pause holds it back',
      async () => healing.story('firewall').some(({ sentence }) => sentence === 'healing is paused') || null,
      PATIENCE_MS,
    );
    expect(changes('firewall')).toEqual([]);
    expect((await site.cli('healing', 'status')).output).toMatch(/paused by hand +until/);
    await healing.untilState('firewall', 'healed', PATIENCE_MS);
    expect(changes('firewall')).toEqual(['firewall remediate', 'firewall confirm']);
    const story = healing.story('firewall').map(({ what }) => what);
    // While a new policy comes into force the machine's credentials come anew: it may wait for that, too.
    const steps = story.filter((what, i) => what !== story[i - 1]);
    expect(steps.slice(steps.indexOf('deferred'))).toEqual(['deferred', 'waiting', 'acting', 'verifying', 'healed']);
    const [intent, result] = actions('firewall');
    expect([intent?.phase, result?.outcome]).toEqual(['intent', 'success']);
    const alerts = healing.entries().filter((one) => one.kind === 'alert' && one.code === 'healing_paused_by_hand');
    expect(alerts.map((one) => one.kind === 'alert' && one.state)).toEqual(['raised', 'cleared']);
  });

  it('stops at a target whose drift comes back again and again, and tells people', async () => {
    host.good.firewall = false;
    await healing.untilState('firewall', 'waiting', PATIENCE_MS);
    host.good.firewall = true;
    await healing.untilState('firewall', 'passing', PATIENCE_MS);
    host.good.firewall = false;
    await healing.untilState('firewall', 'ticketed', PATIENCE_MS);
    const last = healing.story('firewall').at(-1);
    expect(last).toMatchObject({
      what: 'ticketed',
      sentence: expect.stringContaining('something else brings it back'),
    });
    // The ticket from before there was a grant.
    expect(healing.tickets('windows_firewall')).toHaveLength(1);
    expect(changes('firewall')).toEqual(['firewall remediate', 'firewall confirm']);
  });

  it('looks at what a run left that kill -9 cut off, and does not run it again', async () => {
    const inTheMiddle = Promise.withResolvers<void>();
    host.during = (part, phase) => {
      if (part !== 'av' || phase !== 'remediate') return Promise.resolve();
      inTheMiddle.resolve();
      // Longer than the agent lives.
      return new Promise(() => undefined);
    };
    host.good.av = false;
    await inTheMiddle.promise;
    await site.endAgent('SIGKILL');
    host.during = () => Promise.resolve();
    const before = host.phases.length;
    site.startAgent();
    await until(
      'what was left is looked at, and recorded',
      () => actions('av').find(({ phase }) => phase === 'result') ?? null,
      PATIENCE_MS,
    );
    const [intent, result] = actions('av');
    expect([intent?.phase, result?.outcome, result?.code]).toEqual(['intent', 'failed', 'runbook_interrupted']);
    expect(host.phases.slice(before)).toContain('av verify');
    // The change was made: it passes, and nobody says that healing did it.
    await healing.untilState('av', 'passing', PATIENCE_MS);
    expect(healing.story('av').map(({ what }) => what)).toEqual(['seen', 'acting', 'interrupted', 'passing']);
    expect(changes('av')).toEqual(['av remediate']);
    expect(healing.tickets('windows_av')).toEqual([]);
  });
});
