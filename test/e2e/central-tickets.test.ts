// Tickets from an appliance's book to the list of Central Command: the real stage and database on a clock that the test moves, a real
// server and command line.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DaemonContext } from '../../agent/daemon/context.ts';
import { ticketsStage } from '../../agent/daemon/stages/tickets-stage.ts';
import { createRecorder } from '../../agent/evidence/recorder.ts';
import { createHttpsClient } from '../../agent/https/client.ts';
import { maxLineBytes } from '../../agent/wire/document.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { enrolDevice, send, type Enrolled } from '../support/device.ts';
import { openLog } from '../support/evidence-fixtures.ts';
import { fakeClock } from '../support/fakes/fake-clock.ts';
import { memoryLog } from '../support/fakes/memory-log.ts';
import { ticketLine } from '../support/ticket-updates.ts';

const PATH = '/api/v1/appliances/tickets';
const DSSE = { 'content-type': 'application/vnd.dsse+json' };
const HOUR_S = 3_600;
let central: TestCentral;
let server: RunningCentral;
let me: Enrolled;
let other: Enrolled;

beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve();
  me = await enrolDevice(central, server.url, 'north-1');
  other = await enrolDevice(central, server.url, 'north-2');
}, 60_000);
afterAll(() => central.remove());

const tell = (who: Enrolled, body: Buffer, headers: Record<string, string> = DSSE) =>
  send(central, server.url, PATH, { headers, body, tls: who.tls });
interface Listed {
  readonly ticket_id: string;
  readonly appliance_id: string;
  readonly state: string;
  readonly revision: number;
  readonly condition: string;
}
const listed = async (...args: string[]): Promise<Listed[]> =>
  (await central.json<{ tickets: Listed[] }>('tickets', 'list', ...args)).tickets;

describe('the address for tickets', () => {
  it('needs a certificate, a body of its kind and size, and takes an update twice as one', async () => {
    const body = ticketLine(other);
    const stranger = await send(central, server.url, PATH, { headers: DSSE, body });
    expect([stranger.status, stranger.code]).toEqual([401, 'client_certificate_missing']);
    expect((await tell(other, body, { 'content-type': 'application/json' })).code).toBe('media_type_unsupported');
    expect((await tell(other, Buffer.alloc(maxLineBytes('ticketUpdate') + 1, 0x20))).code).toBe('body_too_large');
    expect((await tell(other, ticketLine(me))).code).toBe('signature_invalid');
    const [first, second] = [await tell(other, body), await tell(other, body)];
    expect([first.body, second.body].map((text) => (JSON.parse(text) as { result: string }).result)).toEqual([
      'stored',
      'known',
    ]);
    expect((await tell(other, ticketLine(other, { severity: 'low' }))).code).toBe('ticket_conflict');
    const got = await send(central, server.url, PATH, { method: 'GET', tls: other.tls });
    expect([got.status, got.headers['allow']]).toEqual([405, 'POST']);
    expect(await listed('--appliance', 'north-2')).toMatchObject([{ appliance_id: 'north-2', state: 'open' }]);
  });

  it('limits each appliance by itself, and says when to come back', async () => {
    let limited: Awaited<ReturnType<typeof tell>> | null = null;
    // At most 60 at once and one a second.
    for (let n = 0; n < 600 && limited === null; n += 20) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => tell(other, ticketLine(other))));
      limited = answers.find(({ status }) => status === 429) ?? null;
    }
    expect([limited?.code, limited?.headers['retry-after']]).toEqual(['rate_limited', '5']);
    expect((await tell(me, ticketLine(other))).code).toBe('signature_invalid');
  });
});

describe('a condition that people have to look at', () => {
  it('is one ticket at Central Command: opened, watched, closed and back again, across an outage', async () => {
    const dir = mkdtempSync(join(central.dir, 'agent-'));
    const start = Math.floor(Date.now() / 1_000);
    const clock = fakeClock({ wallMs: start * 1_000 });
    const open = openLog(dir, clock);
    const recorder = createRecorder(open);
    const https = createHttpsClient({
      baseUrl: server.url,
      caPem: central.caPem,
      caPins: central.caPins,
      clientCert: { certPem: me.tls.cert, keyPem: me.tls.key },
    });
    const outputs = [{ id: 'central', kind: 'central', host: 'unused.example', port: 443, events: ['ticket'] }];
    const context = {
      ...{ store: open.store, clock, log: memoryLog(), keys: { signer: me.device.signer } },
      config: { state_dir: dir },
      state: {
        enrolled: {
          ...{ recorder, evidence: open.log, https, identity: { applianceId: me.applianceId, siteId: me.siteId } },
          trust: { policy: () => ({ value: { outputs } }) },
        },
        findings: new Map(),
      },
    } as unknown as DaemonContext;
    const stage = ticketsStage(context);
    let runs = 0;
    const runAt = async (seconds: number): Promise<void> => {
      clock.setWall((start + seconds) * 1_000);
      await stage.run(new AbortController().signal, `run-${++runs}`);
    };
    const mine = async () =>
      (await listed('--all', '--appliance', 'north-1')).map(({ state, revision }) => [state, revision]);

    await runAt(0);
    expect(await mine()).toEqual([]);
    recorder.raise('disk_low', { severity: 'high' });
    await runAt(10);
    await runAt(20);
    expect(await mine()).toEqual([['open', 1]]);
    recorder.clear('disk_low');
    await runAt(HOUR_S);
    // Gone for a quarter of an hour; Central Command is away when it is to be told.
    await server.stop();
    await runAt(2 * HOUR_S);
    expect(open.store.tickets.counts(0).waiting).toBe(1);
    server = await central.serve('--listen', server.url.replace('https://', ''));
    await runAt(2 * HOUR_S + 60);
    expect(await mine()).toEqual([['settling', 2]]);
    await runAt(26 * HOUR_S);
    expect(await mine()).toEqual([['closed', 3]]);
    expect(await listed('--appliance', 'north-1')).toEqual([]);
    recorder.raise('disk_low', { severity: 'high' });
    await runAt(27 * HOUR_S);
    expect(await mine()).toEqual([['open', 4]]);
    const [ticket] = await listed('--appliance', 'north-1');
    const told = await central.cli('tickets', 'show', ticket!.ticket_id);
    expect([told.code, told.stdout.includes('revision 4')]).toEqual([0, true]);
    expect((await central.cli('tickets', 'show', 'ffffffffffffffff')).code).toBe(2);
    await https.close();
    open.store.close();
    rmSync(dir, { recursive: true });
  }, 120_000);
});
