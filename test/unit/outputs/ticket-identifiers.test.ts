// A thousand identifiers of people in what findings, remedies, refusals and the story of an incident say: none is in a ticket, in what
// waits for an output, or in what a real server received.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import { ticketsStage } from '../../../agent/daemon/stages/tickets-stage.ts';
import { createRecorder } from '../../../agent/evidence/recorder.ts';
import { recordDrift, recordStep } from '../../../agent/healing/incident-store.ts';
import { chosenSeed } from '../../support/acknowledgements.ts';
import { finding, linesOf, openLog, statementsOf } from '../../support/evidence-fixtures.ts';
import { fakeClock } from '../../support/fakes/fake-clock.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { identifiers, leaksIn } from '../../support/identifiers.ts';
import { makeTestCa } from '../../support/test-ca.ts';
import { startHttpsServer, type RunningServer } from '../../support/tls-server.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const ALL = identifiers(chosenSeed('IDENTIFIER_SEED'));
/** What a few digits alone are found in, every digest holds too. */
const FOUND = ALL.filter(({ text }) => !/^[0-9]{1,8}$/.test(text));
const PER_FINDING = 40;
const received: string[] = [];
let server: RunningServer;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ticket-identifiers-'));
  const ca = await makeTestCa();
  server = await startHttpsServer(await ca.issueServer({ ips: ['127.0.0.1'] }), (request, response, body) => {
    received.push(`${request.url}\n${JSON.stringify(request.headers)}\n${body.toString('utf8')}`);
    response.writeHead(200).end();
  });
  mkdirSync(join(dir, 'credentials'), { mode: 0o700 });
  writeFileSync(join(dir, 'credentials/hook'), `whsec_${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 });
  writeFileSync(join(dir, 'credentials/hook.ca'), ca.caPem);
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

it('none of a thousand identifiers in findings, remedies, refusals and stories is in a ticket, or leaves with one', async () => {
  expect(ALL.length).toBeGreaterThan(1_000);
  const clock = fakeClock({ wallMs: NOW * 1_000 });
  const open = openLog(dir, clock);
  const { store, log } = open;
  const recorder = createRecorder(open);
  const outputs = [
    { id: 'hook', kind: 'webhook', host: '127.0.0.1', port: server.port, path: '/in', events: ['ticket'] },
  ];
  const findings = new Map<string, ReturnType<typeof finding>>();
  const context = {
    ...{ store, clock, log: memoryLog(), config: { state_dir: dir } },
    state: {
      enrolled: {
        ...{ recorder, evidence: log, identity: { applianceId: 'clinic-1', siteId: 'clinic' } },
        trust: { policy: () => ({ value: { outputs } }) },
      },
      findings,
    },
  } as unknown as DaemonContext;
  for (let n = 0; n * PER_FINDING < ALL.length; n += 1) {
    const group = ALL.slice(n * PER_FINDING, (n + 1) * PER_FINDING);
    const target = { id: `pc-${n}`, role: 'workstation', os_build: null };
    store.unit(() =>
      group.forEach(({ text, plain }, i) => {
        // Lower-case words and bare numbers cannot be told from ours in a sentence: they come as a fact alone.
        const said = plain ? 'protection is off' : text;
        const one = finding({
          ...{ target, check: { id: 'windows_av', version: 1 }, result: 'fail', severity: 'high' },
          sentence: i % 2 === 0 ? `Protection is off, see ${said}.` : said,
          remedy: said,
          facts: { product: text },
          // Each is a change, and each is written.
          facts_digest: (n * PER_FINDING + i).toString(16).padStart(64, '0'),
          facts_read_at: NOW,
        });
        recorder.recordFindings([one]);
        findings.set(`${target.id}/windows_av`, one);
        const key = { targetId: target.id, checkId: 'windows_av', condition: 'av-off' };
        const { id } = recordDrift(store, () => uuidAt(n), key, { at: NOW + i, severity: 'high', sentence: said });
        recordStep(store, id, { event: 'rearmed', at: NOW + i, sentence: `given back by ${said}` });
        const verdict = { verdict: 'people', guard: 'attempts', sentence: said, until: null } as const;
        recordStep(store, id, { event: 'judged', at: NOW + i, verdict, runbook: null });
      }),
    );
  }
  const stage = ticketsStage(context);
  // A few of them are sent in each run.
  for (let run = 0; run < 5; run += 1) await stage.run(new AbortController().signal, `run-${run}`);
  const told = store.tickets.all();
  expect(told).toHaveLength(findings.size);
  expect(received).toHaveLength(findings.size);
  // What is searched is what should be.
  expect(received.join()).toContain('pc-3');
  expect(told.join()).toContain('tried');
  expect(leaksIn(told.join('\n'), FOUND), 'tickets').toEqual([]);
  expect(leaksIn(received.join('\n'), FOUND), 'what the server received').toEqual([]);
  const entries = statementsOf(store).map(({ predicate }) => JSON.stringify(predicate));
  expect(entries.length).toBeGreaterThan(ALL.length);
  expect(leaksIn(entries.join('\n'), FOUND), 'entries').toEqual([]);
  expect(linesOf(store)).toHaveLength(entries.length);
  store.close();
}, 180_000);

const uuidAt = (n: number): string => `019e0000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
