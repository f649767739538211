// Microsoft Teams by a Workflows webhook ("Post to a channel when a webhook request is received"), with an adaptive card. A card that was
// posted so cannot be changed: each event is one card. (Connectors, which took MessageCards, are retired.)
import { AgentError } from '../../errors/agent-error.ts';
import type { Channel, SendHttp } from '../channel.ts';
import { judgeAnswer } from '../judge-answer.ts';
import { linesOf, subjectOf, type TicketEvent } from '../ticket.ts';

export interface TeamsSettings {
  readonly origin: string;
  /** Path and query of the webhook's URL: both are secret. */
  readonly secret: string;
}

const COLOURS = {
  critical: 'Attention',
  high: 'Attention',
  medium: 'Warning',
  low: 'Default',
  info: 'Default',
} as const;

/** @throws output_settings */
export function teamsChannel({ origin, secret }: TeamsSettings, send: SendHttp, nowMs: () => number): Channel {
  const path = secret.trim();
  const { host } = new URL(origin);
  if (!/^\/[A-Za-z0-9/_.~%:-]{1,300}\?[A-Za-z0-9&=_.~%/:+-]{1,1000}$/.test(path)) {
    throw new AgentError('output_settings', 'the secret of Teams is path and query of the URL of a Workflows webhook', {
      place: host,
    });
  }
  const url = new URL(path, origin);
  return {
    async deliver(event, _reference, signal) {
      const body = Buffer.from(JSON.stringify(teamsMessage(event)));
      judgeAnswer(await send({ url, headers: { 'content-type': 'application/json' }, body }, signal), host, nowMs());
      return { reference: null };
    },
  };
}

export function teamsMessage(event: TicketEvent): Record<string, unknown> {
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body: [
      {
        type: 'TextBlock',
        text: plain(subjectOf(event)),
        weight: 'Bolder',
        size: 'Medium',
        wrap: true,
        color: event.ticket.state === 'open' ? COLOURS[event.ticket.severity] : 'Good',
      },
      { type: 'FactSet', facts: linesOf(event).map(([title, value]) => ({ title, value: plain(value) })) },
    ],
  };
  return {
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: card }],
  };
}

/** Texts of cards are Markdown: what would become a link, an image or emphasis is written out. */
const plain = (text: string): string => text.replace(/[\\`*_[\]()~#|<>]/g, (character) => `\\${character}`);
