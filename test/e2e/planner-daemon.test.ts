// The daemon as it is delivered asks a language model about drift that no rule fits: real Central Command, real WinRM, real TLS.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../tools/demo/process.ts';
import { APPLIANCE, SITE } from '../../tools/demo/site.ts';
import { healingHost, PARTS } from '../lab/healing-host.ts';
import { startWinRmServer, type WinRmServer } from '../lab/winrm-server/start-winrm-server.ts';
import { demoSite, REPO } from '../support/demo-site.ts';
import { ACCOUNT, healingSite, TARGET, WINDOWS } from '../support/healing-site.ts';
import { completion, planText, sendJson, startLyingModel, type LyingModel } from '../support/lying-model.ts';
import { makeTestCa } from '../support/test-ca.ts';

const PATIENCE_MS = 90_000;

describe('a daemon whose policy names a language model', () => {
  const site = demoSite();
  const host = healingHost({ firewall: true, logging: true, av: true });
  const dir = join(site.paths.state, '..');
  const healing = healingSite(site, dir, REPO);
  let machine: WinRmServer;
  let model: LyingModel;

  beforeAll(async () => {
    const ca = await makeTestCa();
    model = await startLyingModel(await ca.issueServer({ ips: ['127.0.0.1'] }));
    const params = { security_min_mib: 128 };
    const plan = planText({ runbook_id: 'RB-WIN-LOGGING-001', params, rationale: 'logs_too_small is above zero.' });
    model.say((response) => sendJson(response, completion(plan)));
    machine = await startWinRmServer({ users: [ACCOUNT], handler: host.handler });
    await site.provision();
    const credentials = join(site.paths.state, 'credentials');
    mkdirSync(credentials, { recursive: true, mode: 0o700 });
    writeFileSync(join(credentials, 'llm_key'), 'sk-test-key\n', { mode: 0o600 });
    writeFileSync(join(credentials, 'llm_key.ca'), ca.caPem);
    site.startAgent();
    await site.confirm();
    await healing.addTarget(machine.port);
    await healing.signContent([]);
    rmSync(join(dir, 'content/rules/windows-audit-incomplete.yaml'));
    await site.central('content', 'sign', '--dir', join(dir, 'content'), '--keys', site.paths.keys);
    const llm =
      `llm: { provider: local, host: 127.0.0.1, port: ${model.port}, model: small-2.1, credential: llm_key,` +
      ' money_per_day_cents: 0 }';
    await healing.signPolicy({ windows: `${WINDOWS.open()}\n${llm}`, healing: '{ mode: on, runbooks: [] }' });
  }, 240_000);
  afterAll(async () => {
    await machine.close();
    await model.close();
  });

  it('asks it once about drift that no rule fits, tries the plan out, tells people, and changes nothing', async () => {
    host.good.logging = false;
    const said = await until(
      'people are told what it proposes',
      () =>
        healing
          .entries()
          .flatMap((one) =>
            one.kind === 'incident' && one.sentence.includes('a language model') ? [one.sentence] : [],
          )[0] ?? null,
      PATIENCE_MS,
      () => JSON.stringify([model.seen.length, host.phases.slice(-20), healing.entries().slice(-8)]),
    );
    expect(said).toContain(
      'a language model proposes RB-WIN-LOGGING-001 with security_min_mib 128; a dry run would change',
    );
    const ticket = await until(
      'the ticket says so',
      () =>
        healing.tickets('windows_logging').find((one) => JSON.stringify(one).includes('a language model proposes')) ??
        null,
      PATIENCE_MS,
      () => JSON.stringify(healing.tickets('windows_logging')),
    );
    expect(ticket.state).toBe('open');
    // Judged by the runbook as it is signed, and not by what the model chose.
    expect(ticket.seen).toContain('192');
    expect(host.phases.filter((phase) => /remediate|rollback|confirm/.test(phase))).toEqual([]);
    expect(model.seen).toHaveLength(1);
    const body = model.seen.map((one) => one.body).join();
    for (const name of [TARGET, SITE, ACCOUNT.user, ACCOUNT.domain]) expect(body).not.toContain(name);
    const asked = healing.entries().flatMap((one) => (one.kind === 'action' && one.llm !== undefined ? [one] : []));
    expect(asked.map(({ phase, outcome }) => outcome ?? phase)).toEqual(['intent', 'needs_approval']);
    expect(asked[1]?.runbook?.id).toBe('RB-WIN-LOGGING-001');
  });

  it('has the order of people that carries out its plan counted as a heal by a plan', async () => {
    const learnt = async (): Promise<{ occurrences: number; remedies: { l2_verified: number; mean_ms: number }[] }> => {
      const { output } = await site.cli('learning', 'list', '--json');
      const { patterns } = JSON.parse(output) as { patterns: { pattern: string }[] };
      const shown = await site.cli('learning', 'show', patterns[0]?.pattern ?? '', '--json');
      return JSON.parse(shown.output) as Awaited<ReturnType<typeof learnt>>;
    };
    expect(await learnt()).toMatchObject({ occurrences: 1, remedies: [] });
    const ticket = healing.tickets('windows_logging')[0]?.id ?? '';
    const order = ['order', 'issue', '--appliance', APPLIANCE, '--kind', 'run_runbook', '--runbook', PARTS.logging];
    await site.central(...[...order, '--target', TARGET, '--ticket', ticket, '--params', '{"security_min_mib":128}']);
    const remedy = await until(
      'the heal is counted',
      async () => (await learnt()).remedies[0] ?? null,
      PATIENCE_MS,
      () => JSON.stringify([host.phases.slice(-20), healing.entries().slice(-8)]),
    );
    expect(remedy).toMatchObject({ tried: 1, verified: 1, l2_verified: 1, params: { security_min_mib: 128 } });
    expect(remedy.mean_ms).toBeGreaterThan(0);
    const [intent] = healing
      .entries()
      .flatMap((one) => (one.kind === 'action' && one.order_digest !== undefined ? [one] : []));
    const incident = healing.entries().find((one) => one.kind === 'incident');
    expect(intent?.incident_id).toBe(incident?.kind === 'incident' ? incident.incident_id : null);
  });
});
