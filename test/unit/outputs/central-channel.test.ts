import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import type { HttpsRequest } from '../../../agent/https/client.ts';
import { centralChannel, updateOf } from '../../../agent/outputs/channels/central-channel.ts';
import type { TicketEvent } from '../../../agent/outputs/ticket.ts';
import { encodeDocument, parseDocument } from '../../../agent/wire/document.ts';
import { pae, parseEnvelope } from '../../../agent/wire/dsse.ts';
import { generateEd25519, verifyWithNode } from '../../../agent/wire/node-signature.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';

const NOW = 1_790_000_000;
const { signer } = generateEd25519();
const signal = new AbortController().signal;

const eventWith = (change: Partial<TicketEvent['ticket']> = {}): TicketEvent => ({
  id: '0f3a52c1b7d94e68-2',
  action: 'updated',
  at: NOW,
  applianceId: 'north-1',
  siteId: 'north',
  ticket: {
    id: '0f3a52c1b7d94e68',
    key: 'finding/appliance/disk',
    target: 'appliance',
    title: 'Room on the disks (disk)',
    severity: 'high',
    seen: 'it is full',
    nextStep: 'make room',
    controls: ['164.312(b)'],
    entries: [42],
    state: 'open',
    revision: 2,
    openedAt: NOW - 60,
    awaySince: null,
    toldAt: NOW,
    closedAt: null,
    ...change,
  },
});

function channelWith(answer: { status: number; headers?: Record<string, string> } | AgentError) {
  const sent: HttpsRequest[] = [];
  const https = {
    host: 'central.example:8443',
    request: (request: HttpsRequest) => {
      sent.push(request);
      if (answer instanceof AgentError) return Promise.reject(answer);
      const { status, headers = {} } = answer;
      return Promise.resolve({ status, headers, body: Buffer.alloc(0), bytesSent: 1, bytesReceived: 1, caPin: '' });
    },
  };
  return { sent, channel: centralChannel({ https, signer, correlationId: 'run-1' }, () => NOW * 1_000) };
}

describe('what Central Command is told of a ticket', () => {
  it('is one document that the device signed, the same bytes for the same event, apart from check-ins', async () => {
    const { sent, channel } = channelWith({ status: 200 });
    expect(await channel.deliver(eventWith(), null, signal)).toEqual({ reference: null });
    await channel.deliver(eventWith(), null, signal);
    const [first, second] = sent;
    expect(first).toMatchObject({ method: 'POST', path: '/api/v1/appliances/tickets', lane: 'bulk' });
    expect(first?.body).toEqual(second?.body);
    const { payload, payloadType, signatures } = parseEnvelope(first!.body!, { maxBytes: 100_000 });
    expect(verifyWithNode(signer.spki, pae(payloadType, payload), signatures[0]!.sig)).toBe(true);
    expect(parseDocument('ticketUpdate', payload)).toMatchObject({
      appliance_id: 'north-1',
      site_id: 'north',
      ticket_id: '0f3a52c1b7d94e68',
      revision: 2,
      seen: 'it is full',
      evidence_entries: [42],
    });
  });

  it('fits its format whatever the texts of the ticket are', () => {
    const text = fc.string({ unit: 'binary', maxLength: 2_500 });
    fc.assert(
      fc.property(text, text, fc.array(text, { maxLength: 3 }), (seen, title, controls) => {
        const update = updateOf(eventWith({ seen, title, controls }));
        expect(parseDocument('ticketUpdate', encodeDocument('ticketUpdate', update))).toEqual(update);
      }),
      { numRuns: 200 },
    );
    const long = updateOf(eventWith({ seen: '\u{1f600}'.repeat(1_500), nextStep: '\n', entries: Array(99).fill(1) }));
    expect([long.seen.at(-1), long.seen.length <= 2_000, long.next_step, long.evidence_entries.length]).toEqual([
      ...['…', true, '-'],
      64,
    ]);
    expect(() => encodeDocument('ticketUpdate', long)).not.toThrow();
  });

  it('can be said with a clock that begins in 1970, or that runs far ahead', () => {
    const at = (seconds: number) => ({ ...eventWith({ openedAt: seconds, closedAt: seconds }), at: seconds });
    for (const seconds of [0, 86_400, 1e11]) {
      expect(() => encodeDocument('ticketUpdate', updateOf(at(seconds)))).not.toThrow();
    }
  });

  it.each([
    [400, 'output_refused'],
    [409, 'output_refused'],
    [413, 'output_refused'],
    [401, 'output_failed'],
    [403, 'output_failed'],
    [404, 'output_failed'],
    [429, 'output_failed'],
    [500, 'output_failed'],
    [503, 'output_failed'],
  ] as const)('answered with %i is %s', async (status, code) => {
    const { channel } = channelWith({ status, headers: { 'retry-after': '7' } });
    const error = await expectCodeAsync(channel.deliver(eventWith(), null, signal), code);
    if (code === 'output_failed') expect(error.details['retry_after_s']).toBe(7);
  });

  it('waits with the reason of the connection while Central Command is away', async () => {
    const { channel } = channelWith(new AgentError('connect_refused', 'nobody listens'));
    await expectCodeAsync(channel.deliver(eventWith(), null, signal), 'connect_refused');
  });
});
