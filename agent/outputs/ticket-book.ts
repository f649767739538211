// When a ticket opens, changes, closes and opens again. Pure: conditions in, tickets and events out.
import { createHash } from 'node:crypto';
import type { Severity } from '../wire/schemas/primitives.ts';
import type { Condition, Ticket, TicketAction, TicketEvent } from './ticket.ts';

/** A condition that stayed away this long is over. */
export const CLOSE_AFTER_S = 24 * 3_600;
/** One that comes back within this time is the same one again. */
export const REOPEN_WITHIN_S = 30 * 24 * 3_600;
/** People are not told more often, unless it got worse. */
export const UPDATE_EVERY_S = 15 * 60;

const RANK: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical'];

export interface Observed {
  /** What is there. */
  readonly active: readonly Condition[];
  /** Keys of which nobody can say whether they are there: their tickets stay as they are. */
  readonly undecided: ReadonlySet<string>;
}

export interface BookInput extends Observed {
  /** Tickets that are not over, and those closed within {@link REOPEN_WITHIN_S}. */
  readonly tickets: readonly Ticket[];
  /** Unix seconds. */
  readonly now: number;
  readonly applianceId: string;
  readonly siteId: string;
}

/** Tickets that changed, each with what is to be told of it, if anything. */
export type BookChange = readonly { readonly ticket: Ticket; readonly event: TicketEvent | null }[];

export function noteConditions(input: BookInput): BookChange {
  const { active, tickets, undecided } = input;
  const there = new Map(active.map((condition) => [condition.key, condition]));
  const byKey = new Map(tickets.map((ticket) => [ticket.key, ticket]));
  const changes = [...there.values()].map((condition) => noteThere(byKey.get(condition.key), condition, input));
  const away = tickets.filter(({ key, state }) => state !== 'closed' && !there.has(key) && !undecided.has(key));
  return [...changes, ...away.map((ticket) => noteAway(ticket, input))].filter((change) => change !== null);
}

function noteThere(ticket: Ticket | undefined, condition: Condition, input: BookInput): BookChange[number] | null {
  const { now } = input;
  if (ticket === undefined || (ticket.closedAt !== null && now - ticket.closedAt > REOPEN_WITHIN_S)) {
    const id = ticketId(input.applianceId, condition.key, now);
    return told(
      { ...condition, id, state: 'open', revision: 0, openedAt: now, awaySince: null, toldAt: now, closedAt: null },
      'opened',
      input,
    );
  }
  const next: Ticket = { ...ticket, ...condition, state: 'open', awaySince: null, closedAt: null };
  if (ticket.state === 'closed') return told(next, 'reopened', input);
  const worse = RANK.indexOf(next.severity) > RANK.indexOf(ticket.severity);
  // What was told last stays in the ticket until the next telling, so that a change is told late and not never.
  if (worse || (toldOf(next) !== toldOf(ticket) && rested(ticket, now))) return told(next, 'updated', input);
  return ticket.awaySince === null ? null : { ticket: { ...ticket, awaySince: null }, event: null };
}

function noteAway(ticket: Ticket, input: BookInput): BookChange[number] | null {
  const { now } = input;
  // A clock that went back begins the wait anew; it never ends one early.
  const since = ticket.awaySince === null || ticket.awaySince > now ? now : ticket.awaySince;
  const away = { ...ticket, awaySince: since };
  if (now - since >= CLOSE_AFTER_S) return told({ ...away, state: 'closed', closedAt: now }, 'closed', input);
  // Flapping within the rest is not told at all.
  if (ticket.state === 'open' && now - since >= UPDATE_EVERY_S && rested(ticket, now)) {
    return told({ ...away, state: 'settling' }, 'updated', input);
  }
  return since === ticket.awaySince ? null : { ticket: away, event: null };
}

const rested = ({ toldAt }: Ticket, now: number): boolean => Math.abs(now - toldAt) >= UPDATE_EVERY_S;

/** What people are told: a change of these is worth a word. */
const toldOf = ({ title, severity, seen, nextStep, state, tried = [] }: Ticket): string =>
  JSON.stringify([title, severity, seen, nextStep, state, tried]);

function told(ticket: Ticket, action: TicketAction, { now, applianceId, siteId }: BookInput): BookChange[number] {
  const next = { ...ticket, revision: ticket.revision + 1, toldAt: now };
  const id = `${next.id}-${next.revision}`;
  return { ticket: next, event: { id, action, at: now, applianceId, siteId, ticket: next } };
}

/** The same on whatever channel, and after whatever restart; says nothing of the condition. */
function ticketId(applianceId: string, key: string, openedAt: number): string {
  return createHash('sha256').update(`${applianceId}\n${key}\n${openedAt}`).digest('hex').slice(0, 16);
}
