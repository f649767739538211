import { AgentError } from '../../agent/errors/agent-error.ts';
import { maxLineBytes, parseDocument } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import type { TicketUpdate } from '../../agent/wire/schemas/ticket.ts';
import type { TicketRow } from '../store/ticket-table.ts';
import { shown } from './draft-file.ts';
import { print, table, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Which {
  readonly appliance?: string;
}

interface ToldTicket extends Omit<TicketUpdate, 'schema'> {
  /** By the clock of Central Command. */
  readonly first_received_at: number;
  readonly received_at: number;
}

/** The signature was verified before the line was stored. */
function toldIn({ line, first_received_at, received_at }: TicketRow): ToldTicket {
  const { payload } = parseEnvelope(line, { maxBytes: maxLineBytes('ticketUpdate') });
  const { schema: _schema, ...told } = parseDocument('ticketUpdate', payload);
  return { ...told, first_received_at, received_at };
}

export async function listTickets(
  o: Common & WithData & Which & { readonly all?: boolean; readonly limit: number },
): Promise<void> {
  await withRecords(o, ({ store }) => {
    const rows = store.tickets.list({
      applianceId: o.appliance ?? null,
      closedToo: o.all === true,
      limit: o.limit,
    });
    const tickets = rows.map(toldIn);
    const cells = tickets.map((ticket) => [
      ticket.ticket_id,
      ticket.appliance_id,
      ticket.state,
      ticket.severity,
      when(ticket.opened_at),
      shown(ticket.title),
    ]);
    const head = ['TICKET', 'APPLIANCE', 'STATE', 'SEVERITY', 'SINCE', 'ABOUT'];
    print(o, { tickets }, tickets.length === 0 ? 'no tickets' : table(head, cells));
  });
}

/** Ids are of their appliances; two may have the same one. @throws ticket_unknown */
export async function showTicket(id: string, o: Common & WithData & Which): Promise<void> {
  await withRecords(o, ({ store }) => {
    const tickets = store.tickets
      .byId(id)
      .filter((row) => o.appliance === undefined || row.appliance_id === o.appliance)
      .map(toldIn);
    if (tickets.length === 0) throw new AgentError('ticket_unknown', `no ticket ${id} is known here`);
    print(o, { tickets }, tickets.map((ticket) => shown(linesOf(ticket).join('\n'))).join('\n\n'));
  });
}

function linesOf(ticket: ToldTicket): string[] {
  const { controls, evidence_entries: entries } = ticket;
  return [
    `${ticket.ticket_id}  ${ticket.state}  ${ticket.severity}  ${ticket.title}`,
    `seen       ${ticket.seen}`,
    `next step  ${ticket.next_step}`,
    `where      ${ticket.target} at site ${ticket.site_id}, seen by ${ticket.appliance_id}`,
    `since      ${when(ticket.opened_at)}`,
    ...(ticket.closed_at === null ? [] : [`closed     ${when(ticket.closed_at)}`]),
    ...(controls.length === 0 ? [] : [`concerns   ${controls.join(', ')}`]),
    `evidence   ${entries.length === 0 ? 'not in the log yet' : `entry ${entries.join(', ')}`}`,
    `told       revision ${ticket.revision} at ${when(ticket.at)}, here since ${when(ticket.received_at)}`,
  ];
}
