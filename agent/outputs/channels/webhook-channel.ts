// A webhook of anybody's, signed as Standard Webhooks says (github.com/standard-webhooks/standard-webhooks, 1.0): id, time and
// HMAC-SHA-256 over both and the body.
import { createHmac } from 'node:crypto';
import { AgentError } from '../../errors/agent-error.ts';
import type { Channel, SendHttp } from '../channel.ts';
import { judgeAnswer } from '../judge-answer.ts';
import { linesOf, subjectOf, type TicketEvent } from '../ticket.ts';

export interface WebhookSettings {
  readonly url: URL;
  /** `whsec_` and base64 of 24 to 64 bytes. */
  readonly secret: string;
}

const SECRET = /^whsec_([A-Za-z0-9+/]{32,88}={0,2})$/;

/** @throws output_settings for a secret that is none */
export function webhookChannel({ url, secret }: WebhookSettings, send: SendHttp, nowMs: () => number): Channel {
  const [, encoded] = SECRET.exec(secret.trim()) ?? [];
  const key = Buffer.from(encoded ?? '', 'base64');
  if (key.length < 24 || key.length > 64) {
    throw new AgentError('output_settings', 'the secret of a webhook is whsec_ and base64 of 24 to 64 bytes', {
      place: url.host,
    });
  }
  return {
    async deliver(event, _reference, signal) {
      const body = Buffer.from(JSON.stringify(webhookBody(event)));
      const at = Math.floor(nowMs() / 1_000);
      const signature = createHmac('sha256', key).update(`${event.id}.${at}.`).update(body).digest('base64');
      const headers = {
        'content-type': 'application/json',
        'webhook-id': event.id,
        'webhook-timestamp': String(at),
        'webhook-signature': `v1,${signature}`,
      };
      judgeAnswer(await send({ url, headers, body }, signal), url.host, nowMs());
      return { reference: null };
    },
  };
}

/** Every field that others may rely on; docs/tickets.md says what they mean. */
export function webhookBody(event: TicketEvent): Record<string, unknown> {
  const { ticket } = event;
  return {
    type: `ticket.${event.action}`,
    timestamp: new Date(event.at * 1_000).toISOString(),
    data: {
      ticket_id: ticket.id,
      revision: ticket.revision,
      state: ticket.state,
      subject: subjectOf(event),
      title: ticket.title,
      severity: ticket.severity,
      condition: ticket.key,
      appliance_id: event.applianceId,
      site_id: event.siteId,
      target: ticket.target,
      opened_at: new Date(ticket.openedAt * 1_000).toISOString(),
      lines: linesOf(event).map(([label, text]) => ({ label, text })),
      controls: ticket.controls,
      evidence_entries: ticket.entries,
    },
  };
}
