// PagerDuty, Events API v2: one alert for each ticket by its `dedup_key`. Triggered while the condition is there, acknowledged while it
// is gone and being watched, resolved when the ticket closes.
import { AgentError } from '../../errors/agent-error.ts';
import type { Severity } from '../../wire/schemas/primitives.ts';
import type { Channel, SendHttp } from '../channel.ts';
import { judgeAnswer } from '../judge-answer.ts';
import { linesOf, type TicketEvent } from '../ticket.ts';

export interface PagerDutySettings {
  /** `https://events.pagerduty.com/v2/enqueue`, or that of the EU. */
  readonly url: URL;
  /** Integration key: 32 characters. */
  readonly routingKey: string;
}

/** The API knows four. */
const SEVERITIES: Readonly<Record<Severity, 'critical' | 'error' | 'warning' | 'info'>> = {
  critical: 'critical',
  high: 'error',
  medium: 'warning',
  low: 'warning',
  info: 'info',
};
/** `summary` takes so many characters, other texts are cut by us. */
const MAX_SUMMARY = 1_024;

/** @throws output_settings */
export function pagerDutyChannel({ url, routingKey }: PagerDutySettings, send: SendHttp, nowMs: () => number): Channel {
  const key = routingKey.trim();
  if (!/^[A-Za-z0-9]{32}$/.test(key)) {
    throw new AgentError('output_settings', 'the integration key of PagerDuty has 32 letters and digits', {
      place: url.host,
    });
  }
  return {
    async deliver(event, _reference, signal) {
      const body = Buffer.from(JSON.stringify(pagerDutyBody(event, key)));
      const headers = { 'content-type': 'application/json' };
      judgeAnswer(await send({ url, headers, body }, signal), url.host, nowMs());
      return { reference: null };
    },
  };
}

export function pagerDutyBody(event: TicketEvent, routingKey: string): Record<string, unknown> {
  const { ticket } = event;
  const action = ({ open: 'trigger', settling: 'acknowledge', closed: 'resolve' } as const)[ticket.state];
  const common = { routing_key: routingKey, event_action: action, dedup_key: ticket.id };
  if (action !== 'trigger') return common;
  return {
    ...common,
    client: 'compliance-agent',
    payload: {
      summary: `${event.applianceId}: ${ticket.title}`.slice(0, MAX_SUMMARY),
      source: event.applianceId,
      severity: SEVERITIES[ticket.severity],
      timestamp: new Date(ticket.openedAt * 1_000).toISOString(),
      component: ticket.target,
      group: event.siteId,
      class: ticket.key,
      custom_details: Object.fromEntries(linesOf(event)),
    },
  };
}
