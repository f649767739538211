// Tickets: what reaches people. One for each condition, opened once, updated, closed when it stayed away. What stands in them comes from
// the evidence, so it was scrubbed field by field before.
import type { Severity } from '../wire/schemas/primitives.ts';

/** Something that is not as it should be, as long as it lasts. */
export interface Condition {
  /** What makes it the same condition tomorrow: `finding/<target>/<check>`, `alert/<code>` or `alert/<code>/<target>`. */
  readonly key: string;
  readonly target: string;
  readonly title: string;
  readonly severity: Severity;
  /** What was seen, one sentence. */
  readonly seen: string;
  /** What a person can do. */
  readonly nextStep: string;
  /** Citations that it concerns, `164.312(b)`. */
  readonly controls: readonly string[];
  /** Entries of the evidence log that it rests on. */
  readonly entries: readonly number[];
  /** What healing did about it and what that changed, oldest first; absent where nothing was tried. */
  readonly tried?: readonly string[];
}

export interface Ticket extends Condition {
  /** Stays for the life of the condition, reopening included. */
  readonly id: string;
  /** `settling`: the condition is gone; closed once it stayed away. */
  readonly state: 'open' | 'settling' | 'closed';
  /** Counts what was told of it, from 1. */
  readonly revision: number;
  /** Unix seconds, as all times here. */
  readonly openedAt: number;
  /** Since when the condition is away; null while it is there. */
  readonly awaySince: number | null;
  readonly toldAt: number;
  readonly closedAt: number | null;
}

export const TICKET_ACTIONS = ['opened', 'updated', 'closed', 'reopened'] as const;
export type TicketAction = (typeof TICKET_ACTIONS)[number];

/** One thing to tell. The same `id` always means the same event: who gets it twice can leave one out. */
export interface TicketEvent {
  readonly id: string;
  readonly action: TicketAction;
  readonly at: number;
  readonly applianceId: string;
  readonly siteId: string;
  readonly ticket: Ticket;
}

const STATE_WORDS: Readonly<Record<TicketAction, string>> = {
  opened: 'New',
  updated: 'Changed',
  closed: 'Closed',
  reopened: 'Back again',
};

/** `[HIGH] clinic-1: title`, the line that people see first. */
export function subjectOf({ action, applianceId, ticket }: TicketEvent): string {
  const word = ticket.state === 'settling' ? 'Gone, being watched' : STATE_WORDS[action];
  return `${word}: [${ticket.severity.toUpperCase()}] ${applianceId}: ${ticket.title}`;
}

/** Label and text of each line of the body, in the order of reading. */
export function linesOf(event: TicketEvent): (readonly [string, string])[] {
  const { ticket, siteId, applianceId } = event;
  const day = (at: number): string => new Date(at * 1_000).toISOString().replace(/:\d\d\.000Z$/, 'Z');
  return [
    ['Seen', ticket.seen],
    ...((ticket.tried ?? []).length === 0 ? [] : [['Tried', (ticket.tried ?? []).join('; ')] as const]),
    ['Next step', ticket.state === 'open' ? ticket.nextStep : 'nothing; it closes by itself when it stays away'],
    ['Where', `${ticket.target} at site ${siteId}, seen by ${applianceId}`],
    ['Since', day(ticket.openedAt)],
    ...(ticket.controls.length === 0 ? [] : [['Concerns', ticket.controls.join(', ')] as const]),
    ['Evidence', ticket.entries.length === 0 ? 'not in the log yet' : `entry ${ticket.entries.join(', ')}`],
    ['Ticket', `${ticket.id}, revision ${ticket.revision}`],
  ];
}
