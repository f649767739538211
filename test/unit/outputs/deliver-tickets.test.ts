// Messages on their way: a real store, real TLS servers of the kinds that misbehave, a real mail server.
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { sendPublic } from '../../../agent/https/send-public.ts';
import type { Channel } from '../../../agent/outputs/channel.ts';
import { mailChannel } from '../../../agent/outputs/channels/mail-channel.ts';
import { deliverTickets, GIVE_UP_AFTER_S } from '../../../agent/outputs/deliver-tickets.ts';
import { openChannel, type Output } from '../../../agent/outputs/open-channel.ts';
import type { Ticket, TicketEvent } from '../../../agent/outputs/ticket.ts';
import type { Store } from '../../../agent/store/open-store.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { AT, open } from '../../support/store-fixtures.ts';
import { makeTestCa, type IssuedCertificate, type TestCa } from '../../support/test-ca.ts';
import { startHttpsServer, startTcpServer, type RunningServer } from '../../support/tls-server.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const signal = new AbortController().signal;
let ca: TestCa;
let server: IssuedCertificate;
let dir: string;
let store: Store;
const running: RunningServer[] = [];

beforeAll(async () => {
  ca = await makeTestCa();
  server = await ca.issueServer({ names: ['localhost'] });
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tickets-'));
  store = open(dir);
});
afterEach(async () => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
  for (const one of running.splice(0)) await one.close();
});

const ticket = (id: string, revision: number): Ticket => ({
  id,
  key: `finding/appliance/${id}`,
  target: 'appliance',
  title: 'Room on the disks',
  severity: 'high',
  seen: 'it is full',
  nextStep: 'make room',
  controls: [],
  entries: [1],
  state: 'open',
  revision,
  openedAt: AT,
  awaySince: null,
  toldAt: AT,
  closedAt: null,
});

function queue(outputs: readonly string[], id = 'a', revision = 1): TicketEvent {
  const of = ticket(id, revision);
  const event: TicketEvent = {
    id: `${id}-${revision}`,
    action: 'opened',
    at: AT,
    applianceId: 'clinic-1',
    siteId: 'site-1',
    ticket: of,
  };
  store.tickets.put(
    { id, key: of.key, json: JSON.stringify(of) },
    outputs.map((outputId) => ({
      eventId: event.id,
      outputId,
      ticketId: id,
      event: JSON.stringify(event),
      queuedAt: AT,
    })),
  );
  return event;
}

function delivering(channels: Record<string, Channel | AgentError>) {
  const pausedUntil = new Map<string, number>();
  const log = memoryLog();
  let now = AT;
  return {
    log,
    pausedUntil,
    at: async (seconds: number) => {
      now = AT + seconds;
      const deps = { table: store.tickets, channels: new Map(Object.entries(channels)), pausedUntil, log };
      await deliverTickets({ ...deps, nowS: () => now }, signal);
    },
  };
}

const counts = () => {
  const { waiting, dead } = store.tickets.counts(0);
  return { waiting, dead };
};

interface Heard {
  readonly id: string;
  readonly body: string;
}

async function webhookServer(
  answer: (heard: readonly Heard[]) => { status: number; headers?: Record<string, string> },
  identity: IssuedCertificate = server,
): Promise<{ channel: Channel; heard: Heard[]; running: RunningServer }> {
  const heard: Heard[] = [];
  const one = await startHttpsServer(identity, (request, response, body) => {
    heard.push({ id: String(request.headers['webhook-id']), body: body.toString() });
    const { status, headers } = answer(heard);
    response.writeHead(status, headers).end();
  });
  running.push(one);
  return { channel: webhookTo(one.port), heard, running: one };
}

function webhookTo(port: number, caPem: string | null = ca.caPem, deadlineMs = 5_000): Channel {
  const output: Output = { id: 'hook', kind: 'webhook', host: 'localhost', port, path: '/x', events: ['ticket'] };
  return openChannel(output as Parameters<typeof openChannel>[0], {
    secret: () => SECRET,
    caPem: () => caPem,
    send: (trusted) => (request, within) =>
      sendPublic({ ...request, caPem: trusted, deadlineMs, maxResponseBytes: 1_000, signal: within }),
    nowMs: () => AT * 1_000,
    central: () => {
      throw new Error('only outputs of the kind central ask for it');
    },
  });
}

describe('messages about tickets', () => {
  it('reach every output once, in the order of their ticket, and survive a restart before', async () => {
    const one = await webhookServer(() => ({ status: 204 }));
    const two = await webhookServer(() => ({ status: 200 }));
    queue(['one', 'two'], 'a', 1);
    queue(['one', 'two'], 'b', 1);
    queue(['one', 'two'], 'a', 2);
    store.close();
    store = open(dir);
    const run = delivering({ one: one.channel, two: two.channel });
    for (let second = 0; second < 5; second++) await run.at(second);
    for (const { heard } of [one, two]) expect(heard.map(({ id }) => id)).toEqual(['a-1', 'b-1', 'a-2']);
    expect(counts()).toEqual({ waiting: 0, dead: 0 });
  });

  it('are queued once however often the same event is put', async () => {
    const { channel, heard } = await webhookServer(() => ({ status: 200 }));
    queue(['hook']);
    queue(['hook']);
    await delivering({ hook: channel }).at(0);
    expect(heard.length).toBe(1);
  });

  it('go out again where the answer was lost, with the same id', async () => {
    let tries = 0;
    const one = await startHttpsServer(server, (request, response) => {
      tries += 1;
      ids.push(String(request.headers['webhook-id']));
      if (tries === 1) request.socket.destroy();
      else response.writeHead(200).end();
    });
    const ids: string[] = [];
    running.push(one);
    queue(['hook']);
    const run = delivering({ hook: webhookTo(one.port) });
    await run.at(0);
    expect(counts()).toEqual({ waiting: 1, dead: 0 });
    await run.at(31);
    expect(ids).toEqual(['a-1', 'a-1']);
    expect(counts()).toEqual({ waiting: 0, dead: 0 });
  });

  it('wait as long as a server with too much to do asks for', async () => {
    const { channel, heard } = await webhookServer((all) =>
      all.length === 1 ? { status: 429, headers: { 'retry-after': '600' } } : { status: 200 },
    );
    queue(['hook'], 'a');
    queue(['hook'], 'b');
    const run = delivering({ hook: channel });
    await run.at(0);
    await run.at(300);
    await run.at(599);
    expect(heard.length).toBe(1);
    await run.at(600);
    expect(heard.map(({ id }) => id)).toEqual(['a-1', 'a-1', 'b-1']);
  });

  it('are tried ever more rarely while the server fails, and given up after three days, said and counted', async () => {
    const { channel, heard } = await webhookServer(() => ({ status: 503 }));
    queue(['hook']);
    const run = delivering({ hook: channel });
    for (let second = 0; second <= GIVE_UP_AFTER_S + 3_600; second += 600) await run.at(second);
    expect(heard.length).toBeGreaterThan(60);
    expect(heard.length).toBeLessThan(100);
    expect(counts()).toEqual({ waiting: 0, dead: 1 });
    expect(run.log.records.filter(({ phrase }) => phrase === 'ticket given up').length).toBe(1);
    expect(store.tickets.dead(5)).toMatchObject([{ eventId: 'a-1', failure: 'output_failed' }]);
  });

  it('that a server refuses for good are dead letters at once, and hold up nothing behind them', async () => {
    const { channel, heard } = await webhookServer((all) => ({ status: all.length === 1 ? 422 : 200 }));
    queue(['hook'], 'a', 1);
    queue(['hook'], 'a', 2);
    const run = delivering({ hook: channel });
    await run.at(0);
    await run.at(1);
    expect(heard.map(({ id }) => id)).toEqual(['a-1', 'a-2']);
    expect(counts()).toEqual({ waiting: 0, dead: 1 });
  });

  it('reach the others while one output is silent', async () => {
    const mute = await startTcpServer(() => undefined);
    running.push(mute);
    const { channel, heard } = await webhookServer(() => ({ status: 200 }));
    queue(['mute', 'hook']);
    await delivering({ mute: webhookTo(mute.port, ca.caPem, 300), hook: channel }).at(0);
    expect(heard.length).toBe(1);
    expect(counts()).toEqual({ waiting: 1, dead: 0 });
  });

  it('do not leave for an output whose settings cannot work, nor for one that the policy dropped', async () => {
    queue(['broken', 'dropped']);
    const run = delivering({ broken: new AgentError('output_settings', 'no credential') });
    await run.at(0);
    expect(counts()).toEqual({ waiting: 1, dead: 1 });
    expect(run.log.records.map(({ fields }) => fields['code']).toSorted()).toEqual([
      'output_refused',
      'output_settings',
    ]);
  });
});

describe('an output that cannot be trusted gets nothing', () => {
  const event = (): TicketEvent => queue([]);

  it.each<[string, () => Promise<Channel>, Parameters<typeof expectCodeAsync>[1]]>([
    [
      'whose CA nobody knows',
      async () => webhookTo((await webhookServer(() => ({ status: 200 }))).running.port, null),
      'tls_untrusted',
    ],
    [
      'with the certificate of another name',
      async () =>
        (await webhookServer(() => ({ status: 200 }), await ca.issueServer({ names: ['other.example'] }))).channel,
      'tls_name_mismatch',
    ],
    [
      'that speaks plain HTTP',
      async () => {
        const plain = await startTcpServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
        running.push(plain);
        return webhookTo(plain.port);
      },
      'tls_failed',
    ],
    [
      'that sends an answer without end',
      async () => {
        const endless = await startHttpsServer(server, (_request, response) => {
          response.writeHead(200);
          response.write('x'.repeat(100_000));
        });
        running.push(endless);
        return webhookTo(endless.port);
      },
      'response_too_large',
    ],
    [
      'that sends us elsewhere',
      async () => (await webhookServer(() => ({ status: 307, headers: { location: 'https://evil.example' } }))).channel,
      'output_failed',
    ],
  ])('%s', async (_what, channel, code) => {
    await expectCodeAsync((await channel()).deliver(event(), null, signal), code);
  });
});

describe('mail on a real mail server', () => {
  const mails: { text: string; user: string | null; secure: boolean }[] = [];
  const servers: SMTPServer[] = [];
  afterAll(async () => {
    for (const one of servers) await new Promise((resolve) => one.close(() => resolve(null)));
  });

  /** `secure`: TLS from the first byte. `without`: what the server does not offer. */
  async function mailServer(secure: boolean, without: readonly string[] = []): Promise<number> {
    const one = new SMTPServer({
      secure,
      cert: server.certPem,
      key: server.keyPem,
      disabledCommands: [...without],
      onAuth: ({ username, password }, _session, done) =>
        password === 'right'
          ? done(null, { user: username ?? '' })
          : done(Object.assign(new Error('no'), { responseCode: 535 })),
      onRcptTo: ({ address }, _session, done) =>
        address === 'nobody@msp.example'
          ? done(Object.assign(new Error('no such mailbox'), { responseCode: 550 }))
          : done(),
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          mails.push({
            text: Buffer.concat(chunks).toString(),
            user: (session.user as string | undefined) ?? null,
            secure: session.secure,
          });
          done();
        });
      },
    });
    one.on('error', () => undefined);
    servers.push(one);
    await new Promise<void>((resolve) => void one.listen(0, '127.0.0.1', () => resolve()));
    return (one.server.address() as AddressInfo).port;
  }

  const to = (port: number, change: Partial<Parameters<typeof mailChannel>[0]> = {}): Channel =>
    mailChannel({
      host: 'localhost',
      port,
      from: 'agent@clinic.example',
      to: ['it@msp.example'],
      login: { user: 'agent', password: 'right' },
      caPem: ca.caPem,
      ...change,
    });

  it('goes over STARTTLS, with a logon, and arrives as it is shown', async () => {
    await to(await mailServer(false)).deliver(queue([]), null, signal);
    const [mail] = mails.splice(0);
    expect([mail?.user, mail?.secure]).toEqual(['agent', true]);
    expect(mail?.text).toContain('Message-ID: <a-1@clinic-1.compliance-agent.invalid>');
    expect(mail?.text).toContain('Subject: New: [HIGH] clinic-1: Room on the disks');
    expect(mail?.text).toContain('Next step: make room');
  });

  it('does not go where nobody encrypts, the certificate does not count, or the logon is refused', async () => {
    const plain = await mailServer(false, ['STARTTLS']);
    await expectCodeAsync(to(plain).deliver(queue([]), null, signal), 'output_failed');
    const port = await mailServer(false);
    await expectCodeAsync(to(port, { caPem: null }).deliver(queue([]), null, signal), 'output_failed');
    const wrong = to(port, { login: { user: 'agent', password: 'wrong' } });
    await expectCodeAsync(wrong.deliver(queue([]), null, signal), 'output_failed');
    await expectCodeAsync(to(port, { to: ['nobody@msp.example'] }).deliver(queue([]), null, signal), 'output_refused');
    expect(mails).toEqual([]);
  });
});
