// What the log says of a ticket that opens, closes or opens again. Pure.
import type { EntryBody } from '../wire/schemas/entry.ts';
import type { TicketAction, TicketEvent } from './ticket.ts';

/** Changes in between rest on entries of their own, and are not said again. */
const SAID: Partial<Record<TicketAction, EntryBody<'ticket'>['state']>> = {
  opened: 'opened',
  closed: 'closed',
  reopened: 'reopened',
};
const MAX_SEQS = 64;

/**
 * The UUIDv7 (RFC 9562) under which entries name a ticket: when it opened in milliseconds, and the 16 digits of its id in their order, behind
 * the 7 and the 8 that such a UUID has.
 */
export function ticketUuid({ id, openedAt }: Pick<TicketEvent['ticket'], 'id' | 'openedAt'>): string {
  const time = (openedAt * 1_000).toString(16).padStart(12, '0');
  const [a, b, c] = [id.slice(0, 3), id.slice(3, 6), id.slice(6, 16)];
  return `${time.slice(0, 8)}-${time.slice(8)}-7${a}-8${b}-${c}00`;
}

/** Null for what is not said. `incidentId`: of the drift that it is about, where there is one. */
export function ticketEntry(
  { action, ticket }: Pick<TicketEvent, 'action' | 'ticket'>,
  incidentId: string | null,
): EntryBody<'ticket'> | null {
  const state = SAID[action];
  if (state === undefined) return null;
  return {
    ...{ ticket_id: ticketUuid(ticket), incident_id: incidentId, state, channel: null },
    sentence: ticket.title,
    evidence_seqs: ticket.entries.slice(-MAX_SEQS),
  };
}
