// What an appliance tells Central Command of one ticket: the whole ticket as it is now, signed by the device.
import * as v from 'valibot';
import { count, id, int, severity, text, unixSeconds } from './primitives.ts';

/** Longer texts are cut by the appliance. UTF-16 units. */
export const TICKET_TEXT = { title: 300, condition: 200, target: 100, seen: 2_000, next_step: 2_000, control: 64 };
/** Of controls and of entries, each. */
export const MAX_TICKET_NAMES = 64;

export const ticketUpdateSchema = v.strictObject({
  schema: v.literal('compliance-agent/ticket-update/v1'),
  appliance_id: id,
  site_id: id,
  ticket_id: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, 'must be 16 lower-case hex digits')),
  /** Counts what was told of the ticket, from 1. The same pair of ticket and revision always means the same update. */
  revision: int(1, 1_000_000_000),
  action: v.picklist(['opened', 'updated', 'closed', 'reopened']),
  /** Wall clock of the appliance, as all times here. */
  at: unixSeconds,
  state: v.picklist(['open', 'settling', 'closed']),
  severity,
  title: text(TICKET_TEXT.title),
  condition: text(TICKET_TEXT.condition),
  target: text(TICKET_TEXT.target),
  seen: text(TICKET_TEXT.seen),
  next_step: text(TICKET_TEXT.next_step),
  controls: v.pipe(v.array(text(TICKET_TEXT.control)), v.maxLength(MAX_TICKET_NAMES)),
  evidence_entries: v.pipe(v.array(count), v.maxLength(MAX_TICKET_NAMES)),
  opened_at: unixSeconds,
  closed_at: v.nullable(unixSeconds),
});
export type TicketUpdate = v.InferOutput<typeof ticketUpdateSchema>;
