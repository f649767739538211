// The appliance's own Central Command: one signed document for each event, with the ticket as it is then (docs/formats/http-api.md).
import { AgentError } from '../../errors/agent-error.ts';
import { sayableTime } from '../../evidence/statement.ts';
import type { HttpsClient } from '../../https/client.ts';
import { signDocument } from '../../wire/document.ts';
import { encodeEnvelope, type Signer } from '../../wire/dsse.ts';
import { MAX_TICKET_NAMES, TICKET_TEXT, type TicketUpdate } from '../../wire/schemas/ticket.ts';
import type { Channel } from '../channel.ts';
import { judgeAnswer } from '../judge-answer.ts';
import type { TicketEvent } from '../ticket.ts';

const PATH = '/api/v1/appliances/tickets';
const DEADLINE_MS = 30_000;
const MAX_ANSWER_BYTES = 65_536;
/** Another update is stored under this revision: no further try changes that. */
const CONFLICT = 409;

export interface CentralWay {
  readonly https: Pick<HttpsClient, 'host' | 'request'>;
  /** The device key. */
  readonly signer: Signer;
  /** Stands in both logs. */
  readonly correlationId: string;
}

/** Its failures are those of the connection too: where Central Command is away, the event waits. */
export function centralChannel({ https, signer, correlationId }: CentralWay, nowMs: () => number): Channel {
  return {
    async deliver(event, _reference, signal) {
      const answer = await https.request({
        method: 'POST',
        path: PATH,
        headers: { 'content-type': 'application/vnd.dsse+json', 'x-correlation-id': correlationId },
        body: Buffer.from(encodeEnvelope(signDocument('ticketUpdate', updateOf(event), [signer]))),
        deadlineMs: DEADLINE_MS,
        maxResponseBytes: MAX_ANSWER_BYTES,
        signal,
        // A check-in does not wait for it.
        lane: 'bulk',
      });
      if (answer.status === CONFLICT) {
        throw new AgentError('output_refused', 'it holds another update of the ticket under this revision', {
          place: https.host,
          details: { status: answer.status },
        });
      }
      judgeAnswer(answer, https.host, nowMs());
      return { reference: null };
    },
  };
}

/** The same event always makes the same bytes. */
export function updateOf({ action, at, applianceId, siteId, ticket }: TicketEvent): TicketUpdate {
  return {
    schema: 'compliance-agent/ticket-update/v1',
    appliance_id: applianceId,
    site_id: siteId,
    ticket_id: ticket.id,
    revision: ticket.revision,
    action,
    at: sayableTime(at),
    state: ticket.state,
    severity: ticket.severity,
    title: fitted(ticket.title, TICKET_TEXT.title),
    condition: fitted(ticket.key, TICKET_TEXT.condition),
    target: fitted(ticket.target, TICKET_TEXT.target),
    seen: fitted(ticket.seen, TICKET_TEXT.seen),
    next_step: fitted(ticket.nextStep, TICKET_TEXT.next_step),
    controls: ticket.controls.slice(0, MAX_TICKET_NAMES).map((one) => fitted(one, TICKET_TEXT.control)),
    evidence_entries: ticket.entries.slice(0, MAX_TICKET_NAMES),
    opened_at: sayableTime(ticket.openedAt),
    closed_at: ticket.closedAt === null ? null : sayableTime(ticket.closedAt),
  };
}

/** Text as the document takes it: in NFC, on one line, cut between characters. */
function fitted(text: string, max: number): string {
  const line = text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .normalize('NFC')
    .trim();
  if (line === '') return '-';
  if (line.length <= max) return line;
  const kept = line.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '');
  return `${kept}…`.normalize('NFC');
}
