// Drift that nobody heals reaches people: from a check to a webhook of theirs, by what the signed policy says.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentStatus } from '../../agent/system/status-file.ts';
import { until } from '../../tools/demo/process.ts';
import { demoSite } from '../support/demo-site.ts';
import { makeTestCa } from '../support/test-ca.ts';
import { startHttpsServer, type RunningServer } from '../support/tls-server.ts';

const SITE = 'demo-clinic';
const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const PATIENCE_MS = 60_000;

interface Message {
  readonly type: string;
  readonly data: {
    readonly ticket_id: string;
    readonly condition: string;
    readonly evidence_entries: number[];
    readonly lines: { label: string; text: string }[];
  };
}

describe('a ticket about drift', () => {
  const site = demoSite();
  const heard: Message[] = [];
  let people: RunningServer;

  beforeAll(async () => {
    const ca = await makeTestCa();
    people = await startHttpsServer(await ca.issueServer({ names: ['localhost'] }), (_request, response, body) => {
      heard.push(JSON.parse(body.toString()) as Message);
      response.writeHead(204).end();
    });
    await site.provision();
    // A disk that is too full by this baseline, whatever is on it.
    const shipped = readFileSync(join(import.meta.dirname, '../../runbooks/baselines/workstation.yaml'), 'utf8');
    const baseline = join(site.paths.state, '..', 'baseline.yaml');
    writeFileSync(baseline, shipped.replaceAll(/free_mib: \d+/g, 'free_mib: 1000000000'));
    const config = readFileSync(site.paths.config, 'utf8');
    writeFileSync(site.paths.config, config.replace(/baseline_path: .*/, `baseline_path: ${baseline}`));
    const credentials = join(site.paths.state, 'credentials');
    mkdirSync(credentials, { recursive: true, mode: 0o700 });
    writeFileSync(join(credentials, 'people'), `${SECRET}\n`, { mode: 0o600 });
    writeFileSync(join(credentials, 'people.ca'), ca.caPem);
    site.startAgent();
    await site.confirm();
  });
  afterAll(() => people.close());

  const tickets = async () => {
    const { code, output } = await site.cli('tickets', 'list', '--json');
    expect(code).toBe(0);
    return JSON.parse(output.slice(output.indexOf('{'))) as {
      data?: unknown;
      tickets: { id: string; condition: string; state: string }[];
      waiting: number;
      dead: unknown[];
    };
  };

  it('is kept before any output is named', async () => {
    const listed = await until(
      'there is a ticket',
      async () => {
        const now = await tickets();
        return now.tickets.some(({ condition }) => condition === 'finding/appliance/disk') ? now : null;
      },
      PATIENCE_MS,
    );
    expect([listed.waiting, listed.dead, heard]).toEqual([0, [], []]);
    const [ticket] = listed.tickets.filter(({ condition }) => condition === 'finding/appliance/disk');
    const { output } = await site.cli('tickets', 'show', ticket!.id);
    expect(output).toMatch(/Next step/);
    expect((await site.cli('tickets', 'show', 'ffff')).output).toContain('ticket_unknown');
  });

  it('reaches the webhook that the signed policy names from the next event on, with the entry that it rests on', async () => {
    const policy = join(site.paths.state, '..', 'policy.yaml');
    writeFileSync(
      policy,
      `time_zone: Etc/UTC\noutputs:\n  - {id: people, kind: webhook, host: localhost, port: ${people.port}, path: /tickets, events: [ticket]}\n  - {id: partner, kind: central, host: central.example, port: 443, events: [ticket]}\n`,
    );
    await site.central('policy', 'sign', policy, '--site', SITE, '--keys', site.paths.keys);
    await site.untilStatus('the policy is in force', (s) => s.policy_version !== null);
    // A second condition, so that there is something new to tell.
    const name = join(site.paths.state, '..', 'baseline.yaml');
    const text = readFileSync(name, 'utf8');
    writeFileSync(name, text.replace('no_new_privileges_required: false', 'no_new_privileges_required: true'));
    await site.endAgent('SIGTERM');
    site.startAgent();
    const message = await until('people hear of it', () => heard[0] ?? null, PATIENCE_MS);
    expect(message.type).toBe('ticket.opened');
    expect(message.data.evidence_entries.length).toBe(1);
    const shown = await site.cli('evidence', 'show', String(message.data.evidence_entries[0]), '--json');
    expect(shown.output).toContain(message.data.condition.split('/')[2]);
  });

  it('is told once, there and at Central Command, also after a restart, and its secret is nowhere in the log', async () => {
    await until('nothing waits', async () => ((await tickets()).waiting === 0 ? true : null), PATIENCE_MS);
    const before = heard.map(({ data }) => data.ticket_id);
    await site.endAgent('SIGKILL');
    site.startAgent();
    const finished = (s: AgentStatus, name: string): number =>
      s.stages.find((stage) => stage.name === name)?.last_finished_at ?? 0;
    await site.untilStatus(
      'tickets were looked at after the checks',
      (s) => finished(s, 'checks') > 0 && finished(s, 'tickets') > finished(s, 'checks') - 2 && s.findings.length > 0,
    );
    expect(heard.map(({ data }) => data.ticket_id)).toEqual(before);
    expect(new Set(before).size).toBe(before.length);
    const here = (await site.central('tickets', 'list')) as { tickets: { ticket_id: string; revision: number }[] };
    expect(here.tickets.map(({ ticket_id: id }) => id).toSorted()).toEqual(before.toSorted());
    expect(here.tickets.every(({ revision }) => revision === 1)).toBe(true);
    expect(site.agentProcess()?.output()).not.toContain(SECRET.slice(6, 30));
  });
});
