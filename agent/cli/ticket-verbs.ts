// The verbs about tickets: what people were told, and what did not reach them.
import type { Command } from 'commander';
import type { AddVerb } from './healing-verbs.ts';

export function addTicketVerbs(program: Command, verb: AddVerb): void {
  const tickets = program.command('tickets').description('what people were told of, and what did not reach them');
  verb(tickets, 'list', 'tickets, newest first, with messages that wait or were given up', async (context) =>
    (await import('./tickets.ts')).ticketsList(context),
  );
  verb(tickets, 'show <id>', 'one ticket as it is told', async (context, args) =>
    (await import('./tickets.ts')).ticketsShow(context, args[0] ?? ''),
  );
}
