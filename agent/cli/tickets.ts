// `tickets list | show`: what reached people and what did not, from the store.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { linesOf, subjectOf, type Ticket } from '../outputs/ticket.ts';
import type { Store } from '../store/open-store.ts';
import type { CliContext } from './deps.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';
import { columns, harmless, painter, utc } from './style.ts';

const MAX_DEAD_SHOWN = 50;

function ticketsOf(store: Store): Ticket[] {
  return store.tickets
    .all()
    .map((json) => JSON.parse(json) as Ticket)
    .toSorted((a, b) => b.openedAt - a.openedAt);
}

const shown = (ticket: Ticket) => ({
  id: ticket.id,
  state: ticket.state,
  severity: ticket.severity,
  condition: ticket.key,
  title: ticket.title,
  seen: ticket.seen,
  tried: ticket.tried ?? [],
  next_step: ticket.nextStep,
  opened_at: ticket.openedAt,
  closed_at: ticket.closedAt,
  revision: ticket.revision,
  evidence_entries: ticket.entries,
});

export async function ticketsList(context: CliContext): Promise<number> {
  return withEnrolledStore(context, stateDirOf(context), (store) => {
    const tickets = ticketsOf(store);
    const dead = store.tickets.dead(MAX_DEAD_SHOWN).map((row) => ({
      ticket: row.ticketId,
      output: row.outputId,
      queued_at: row.queuedAt,
      attempts: row.attempts,
      code: row.failure,
    }));
    const { waiting } = store.tickets.counts(0);
    const paint = painter(context.stdout, context.env);
    print(context, 'tickets-list', { tickets: tickets.map(shown), waiting, dead }, () => [
      ...(tickets.length === 0 ? ['no tickets'] : []),
      ...columns(
        tickets.map(({ id, state, severity, title, openedAt }) => [
          utc(openedAt),
          id,
          state,
          severity,
          harmless(title),
        ]),
        (text, column, row) => (column === 2 && tickets[row]?.state === 'open' ? paint('red', text) : text),
      ),
      ...(waiting === 0 ? [] : [`messages that wait: ${waiting}`]),
      ...dead.map((row) => `given up: ticket ${row.ticket} to ${row.output} after ${row.attempts} tries (${row.code})`),
    ]);
    return EXIT.ok;
  });
}

/** @throws ticket_unknown */
export async function ticketsShow(context: CliContext, id: string): Promise<number> {
  return withEnrolledStore(context, stateDirOf(context), (store, identity) => {
    const ticket = ticketsOf(store).find((one) => one.id === id);
    if (ticket === undefined) throw new AgentError('ticket_unknown', `there is no ticket ${harmless(id)}`);
    const { applianceId, siteId } = identity;
    const event = { id: `${ticket.id}-${ticket.revision}`, at: ticket.toldAt, applianceId, siteId, ticket };
    const told = { ...event, action: ticket.state === 'closed' ? ('closed' as const) : ('updated' as const) };
    print(context, 'tickets-show', shown(ticket), () => [
      harmless(subjectOf(told)),
      ...columns(linesOf(told).map(([label, text]) => [label, harmless(text)])),
    ]);
    return EXIT.ok;
  });
}
