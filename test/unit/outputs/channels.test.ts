// What each channel sends, held against what its vendor documents; and settings that cannot work.
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { isAgentError } from '../../../agent/errors/agent-error.ts';
import type { SendHttp } from '../../../agent/outputs/channel.ts';
import { mailOf } from '../../../agent/outputs/channels/mail-channel.ts';
import { judgeAnswer, retryAfterS } from '../../../agent/outputs/judge-answer.ts';
import { openChannel, wants, type Output } from '../../../agent/outputs/open-channel.ts';
import { noteConditions } from '../../../agent/outputs/ticket-book.ts';
import type { Ticket, TicketEvent } from '../../../agent/outputs/ticket.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';

const NOW = 1_780_315_200;
const EVIL = '<!channel> <https://evil.example|click> [click](https://evil.example) & *bold* `x`';
const [opened] = noteConditions({
  active: [
    {
      key: 'finding/srv-1/win_firewall',
      target: 'srv-1',
      title: `The firewall ${EVIL}`,
      severity: 'high',
      seen: `two profiles are off ${EVIL}`,
      nextStep: 'switch them on',
      controls: ['164.312(a)(1)'],
      entries: [12, 15],
    },
  ],
  undecided: new Set(),
  tickets: [],
  now: NOW,
  applianceId: 'clinic-1',
  siteId: 'site-1',
});
const event: TicketEvent = opened!.event!;
const inState = (state: Ticket['state'], revision: number): TicketEvent => ({
  ...event,
  id: `${event.ticket.id}-${revision}`,
  action: state === 'closed' ? 'closed' : 'updated',
  ticket: { ...event.ticket, state, revision },
});

interface Sent {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Record<string, unknown>;
  readonly raw: Buffer;
}

/** Keeps what a channel sends and answers with what is queued, or 200 and `{}`. */
function recorder(...answers: { status?: number; body?: unknown; headers?: Record<string, string> }[]) {
  const sent: Sent[] = [];
  const send: SendHttp = ({ url, headers, body }) => {
    sent.push({ url: url.href, headers, raw: body, body: JSON.parse(body.toString()) as Record<string, unknown> });
    const answer = answers.shift() ?? {};
    return Promise.resolve({
      status: answer.status ?? 200,
      headers: answer.headers ?? {},
      body: Buffer.from(JSON.stringify(answer.body ?? {})),
    });
  };
  return { sent, send };
}

const output = (change: Partial<Output> & Pick<Output, 'kind'>): Output => ({
  id: 'out',
  host: 'hooks.example',
  port: 443,
  events: ['ticket'],
  ...change,
});
const open = (given: Output, secret: string | null, send: SendHttp = recorder().send) =>
  openChannel(given as Parameters<typeof openChannel>[0], {
    secret: () => secret,
    caPem: () => null,
    send: () => send,
    nowMs: () => NOW * 1_000,
    central: () => {
      throw new Error('only outputs of the kind central ask for it');
    },
  });
const signal = new AbortController().signal;

const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const ROUTING_KEY = 'R'.repeat(32);
const TOKEN = `xoxb-${'1'.repeat(30)}`;
const SLACK_PATH = '/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX';
const TEAMS_PATH = '/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=2016-06-01&sig=abc_def-123';

describe('a webhook', () => {
  it('is signed over id, time and body, as Standard Webhooks says', async () => {
    const { sent, send } = recorder();
    await open(output({ kind: 'webhook', path: '/tickets' }), WEBHOOK_SECRET, send).deliver(event, null, signal);
    const [{ url, headers, raw, body }] = sent as [Sent];
    expect(url).toBe('https://hooks.example/tickets');
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${raw.toString()}`;
    const expected = createHmac('sha256', Buffer.alloc(32, 7)).update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${expected}`);
    expect([headers['webhook-id'], headers['webhook-timestamp']]).toEqual([event.id, String(NOW)]);
    expect(body).toMatchObject({ type: 'ticket.opened', data: { ticket_id: event.ticket.id, severity: 'high' } });
  });
});

// https://developer.pagerduty.com/docs/send-alert-event and /send-change-event: fields, types, lengths, the closed lists.
const pagerDutyEvent = v.variant('event_action', [
  v.strictObject({
    routing_key: v.pipe(v.string(), v.length(32)),
    event_action: v.literal('trigger'),
    dedup_key: v.pipe(v.string(), v.maxLength(255)),
    client: v.optional(v.string()),
    client_url: v.optional(v.string()),
    payload: v.strictObject({
      summary: v.pipe(v.string(), v.maxLength(1_024)),
      source: v.string(),
      severity: v.picklist(['critical', 'warning', 'error', 'info']),
      timestamp: v.optional(v.pipe(v.string(), v.isoTimestamp())),
      component: v.optional(v.string()),
      group: v.optional(v.string()),
      class: v.optional(v.string()),
      custom_details: v.optional(v.record(v.string(), v.string())),
    }),
  }),
  v.strictObject({
    routing_key: v.pipe(v.string(), v.length(32)),
    event_action: v.picklist(['acknowledge', 'resolve']),
    dedup_key: v.pipe(v.string(), v.maxLength(255)),
  }),
]);

describe('PagerDuty', () => {
  it('triggers, acknowledges and resolves one alert by its key', async () => {
    const { sent, send } = recorder({ status: 202 }, { status: 202 }, { status: 202 });
    const channel = open(output({ kind: 'pagerduty', host: 'events.pagerduty.com' }), ROUTING_KEY, send);
    for (const one of [event, inState('settling', 2), inState('closed', 3)]) await channel.deliver(one, null, signal);
    expect(sent.map(({ url }) => url)).toEqual(Array(3).fill('https://events.pagerduty.com/v2/enqueue'));
    for (const { body } of sent) expect(v.safeParse(pagerDutyEvent, body).issues).toBeUndefined();
    expect(sent.map(({ body }) => body['event_action'])).toEqual(['trigger', 'acknowledge', 'resolve']);
    expect(new Set(sent.map(({ body }) => body['dedup_key'])).size).toBe(1);
  });
});

// https://docs.slack.dev/reference/block-kit/blocks: the two blocks that are used, and their limits.
const slackBlocks = v.tuple([
  v.strictObject({
    type: v.literal('header'),
    text: v.strictObject({
      type: v.literal('plain_text'),
      text: v.pipe(v.string(), v.maxLength(150)),
      emoji: v.boolean(),
    }),
  }),
  v.strictObject({
    type: v.literal('section'),
    text: v.strictObject({ type: v.literal('mrkdwn'), text: v.pipe(v.string(), v.maxLength(3_000)) }),
  }),
]);

describe('Slack', () => {
  const settings = output({ kind: 'slack', host: 'slack.com', path: 'C0123456789' });

  it('posts a message with a token, and changes that very message afterwards', async () => {
    const { sent, send } = recorder({ body: { ok: true, ts: '171.001' } }, { body: { ok: true, ts: '171.001' } });
    const channel = open(settings, TOKEN, send);
    const { reference } = await channel.deliver(event, null, signal);
    expect(reference).toBe('171.001');
    expect(await channel.deliver(inState('closed', 2), reference, signal)).toEqual({ reference: '171.001' });
    expect(sent.map(({ url }) => url)).toEqual([
      'https://slack.com/api/chat.postMessage',
      'https://slack.com/api/chat.update',
    ]);
    expect(sent[1]!.body).toMatchObject({ channel: 'C0123456789', ts: '171.001' });
    for (const { body, headers } of sent) {
      expect(v.safeParse(slackBlocks, body['blocks']).issues).toBeUndefined();
      expect(headers['authorization']).toBe(`Bearer ${TOKEN}`);
    }
  });

  it('posts anew where somebody deleted the message', async () => {
    const { sent, send } = recorder(
      { body: { ok: false, error: 'message_not_found' } },
      { body: { ok: true, ts: '172.002' } },
    );
    expect(await open(settings, TOKEN, send).deliver(event, '171.001', signal)).toEqual({ reference: '172.002' });
    expect(sent.length).toBe(2);
  });

  it('says by name what the Web API answers with status 200', async () => {
    const answers = (error: string) => open(settings, TOKEN, recorder({ body: { ok: false, error } }).send);
    await expectCodeAsync(answers('invalid_blocks').deliver(event, null, signal), 'output_refused');
    await expectCodeAsync(answers('invalid_auth').deliver(event, null, signal), 'output_failed');
    const odd = open(settings, TOKEN, recorder({ body: ['nothing'] }).send);
    await expectCodeAsync(odd.deliver(event, null, signal), 'output_failed');
  });

  it('posts to an incoming webhook where that is the credential', async () => {
    const { sent, send } = recorder();
    await open(output({ kind: 'slack', host: 'hooks.slack.com' }), `${SLACK_PATH}\n`, send).deliver(
      event,
      null,
      signal,
    );
    expect(sent[0]!.url).toBe(`https://hooks.slack.com${SLACK_PATH}`);
    expect(sent[0]!.headers['authorization']).toBeUndefined();
  });

  it('lets nothing in a ticket become a mention or a link', async () => {
    const { sent, send } = recorder({ body: { ok: true, ts: '1' } });
    await open(settings, TOKEN, send).deliver(event, null, signal);
    const [, section] = sent[0]!.body['blocks'] as [unknown, { text: { text: string } }];
    expect(`${section.text.text}${String(sent[0]!.body['text'])}`).not.toMatch(/<|>/);
  });
});

// https://adaptivecards.io/explorer (schema 1.4) and Microsoft's "Create incoming webhooks with Workflows": the envelope, the elements used.
const teamsEnvelope = v.strictObject({
  type: v.literal('message'),
  attachments: v.tuple([
    v.strictObject({
      contentType: v.literal('application/vnd.microsoft.card.adaptive'),
      contentUrl: v.null(),
      content: v.strictObject({
        $schema: v.literal('http://adaptivecards.io/schemas/adaptive-card.json'),
        type: v.literal('AdaptiveCard'),
        version: v.literal('1.4'),
        body: v.tuple([
          v.strictObject({
            type: v.literal('TextBlock'),
            text: v.string(),
            weight: v.picklist(['Default', 'Lighter', 'Bolder']),
            size: v.picklist(['Default', 'Small', 'Medium', 'Large', 'ExtraLarge']),
            wrap: v.boolean(),
            color: v.picklist(['Default', 'Dark', 'Light', 'Accent', 'Good', 'Warning', 'Attention']),
          }),
          v.strictObject({
            type: v.literal('FactSet'),
            facts: v.array(v.strictObject({ title: v.string(), value: v.string() })),
          }),
        ]),
      }),
    }),
  ]),
});

describe('Teams', () => {
  it('posts an adaptive card to the URL of the credential, and nothing in it becomes a link', async () => {
    const { sent, send } = recorder({ status: 202 }, { status: 202 });
    const channel = open(output({ kind: 'teams', host: 'flow.example' }), TEAMS_PATH, send);
    await channel.deliver(event, null, signal);
    await channel.deliver(inState('closed', 2), null, signal);
    for (const { url, body } of sent) {
      expect(url).toBe(`https://flow.example${TEAMS_PATH}`);
      expect(v.safeParse(teamsEnvelope, body).issues).toBeUndefined();
    }
    expect(JSON.stringify(sent[0]!.body)).not.toContain('](https');
  });
});

describe('mail', () => {
  it('has a Message-ID of the event, is part of the thread of its ticket, and says that a program wrote it', () => {
    const people = { from: 'agent@clinic.example', to: ['it@msp.example'] };
    const [first, second] = [mailOf(event, people), mailOf(inState('closed', 2), people)];
    expect(first.messageId).toBe(`<${event.id}@clinic-1.compliance-agent.invalid>`);
    expect(first).not.toHaveProperty('inReplyTo');
    expect([second.inReplyTo, second.references]).toEqual([first.messageId, first.messageId]);
    expect(second.headers['Auto-Submitted']).toBe('auto-generated');
  });
});

describe('settings that cannot work are named', () => {
  it.each<[string, Output, string | null]>([
    ['no credential', output({ kind: 'webhook', path: '/x' }), null],
    ['a short secret of a webhook', output({ kind: 'webhook', path: '/x' }), 'whsec_c2hvcnQ='],
    ['a secret of a webhook in the clear', output({ kind: 'webhook', path: '/x' }), 'correct horse battery staple'],
    ['a path that names another host', output({ kind: 'webhook', path: '//evil.example/x' }), WEBHOOK_SECRET],
    ['a path with a backslash', output({ kind: 'webhook', path: '/\\evil.example/x' }), WEBHOOK_SECRET],
    ['a path without a slash', output({ kind: 'webhook', path: 'x' }), WEBHOOK_SECRET],
    ['a PagerDuty key that is too short', output({ kind: 'pagerduty' }), 'abc'],
    ['a Slack token without a channel', output({ kind: 'slack' }), TOKEN],
    ['a Slack channel by name', output({ kind: 'slack', path: '#alerts' }), TOKEN],
    ['a Slack user token', output({ kind: 'slack', path: 'C0123456789' }), `xoxp-${'1'.repeat(30)}`],
    ['a whole URL for Slack', output({ kind: 'slack' }), `https://hooks.slack.com${SLACK_PATH}`],
    ['a Teams path without its signature', output({ kind: 'teams' }), '/workflows/1'],
    ['a whole URL for Teams', output({ kind: 'teams' }), `https://evil.example${TEAMS_PATH}`],
    ['mail without recipients', output({ kind: 'smtp', path: 'a@b.example' }), null],
    ['mail to something that is no address', output({ kind: 'smtp', path: 'a@b.example x' }), null],
    [
      'mail with a header in an address',
      output({ kind: 'smtp', path: 'a@b.example c@d.example\r\nBcc:e@f.example' }),
      null,
    ],
    ['a mail credential of one line', output({ kind: 'smtp', path: 'a@b.example c@d.example' }), 'user'],
  ])('%s', (_what, settings, secret) => {
    expectCode(() => open(settings, secret), 'output_settings');
  });

  it('and none of their messages holds the secret', () => {
    const secret = 'correct-horse-battery-staple';
    for (const kind of ['webhook', 'pagerduty', 'slack', 'teams'] as const) {
      try {
        open(output({ kind, path: '/x' }), secret);
        expect.fail('it was taken');
      } catch (error) {
        if (!isAgentError(error)) throw error;
        expect(JSON.stringify([error.describe(), error.details])).not.toContain(secret);
      }
    }
  });
});

describe('what an answer means', () => {
  it.each([
    [400, 'output_refused'],
    [413, 'output_refused'],
    [401, 'output_failed'],
    [403, 'output_failed'],
    [404, 'output_failed'],
    [429, 'output_failed'],
    [500, 'output_failed'],
    [302, 'output_failed'],
  ] as const)('status %i: %s', (status, code) => {
    expectCode(() => judgeAnswer({ status, headers: {} }, 'h', 0), code);
  });

  it('a Retry-After of seconds or a date is obeyed, up to an hour; others are not', () => {
    const at = Date.parse('2026-06-01T12:00:00Z');
    const cases: [string | undefined, number | null][] = [
      ['30', 30],
      ['0', 0],
      ['86400', 3_600],
      ['Mon, 01 Jun 2026 12:01:00 GMT', 60],
      ['Mon, 01 Jun 2026 11:00:00 GMT', null],
      ['-5', null],
      ['soon', null],
      ['', null],
      [undefined, null],
    ];
    for (const [header, seconds] of cases) expect([header, retryAfterS(header, at)]).toEqual([header, seconds]);
  });

  it('an output gets the events that its policy names', () => {
    const some = output({ kind: 'webhook', events: ['ticket_opened'] });
    expect([wants(some, 'opened'), wants(some, 'closed')]).toEqual([true, false]);
    expect(wants(output({ kind: 'webhook' }), 'closed')).toBe(true);
  });
});
