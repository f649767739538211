// Updates of tickets as appliances send them. For tests only.
import { encodeEnvelope, type Signer } from '../../agent/wire/dsse.ts';
import { signDocument } from '../../agent/wire/document.ts';
import type { TicketUpdate } from '../../agent/wire/schemas/ticket.ts';
import type { Enrolled } from './device.ts';

export const TICKET = '0f3a52c1b7d94e68';

export function ticketUpdate(me: Enrolled, change: Partial<TicketUpdate> = {}): TicketUpdate {
  return {
    schema: 'compliance-agent/ticket-update/v1',
    appliance_id: me.applianceId,
    site_id: me.siteId,
    ticket_id: TICKET,
    revision: 1,
    action: 'opened',
    at: 1_790_000_000,
    state: 'open',
    severity: 'high',
    title: 'Room on the disks (disk)',
    condition: 'finding/appliance/disk',
    target: 'appliance',
    seen: 'the state volume is 96 % full (limit 95 %)',
    next_step: 'make room',
    controls: ['164.308(a)(1)(ii)(D)'],
    evidence_entries: [42],
    opened_at: 1_790_000_000,
    closed_at: null,
    ...change,
  };
}

/** Its line, signed by the device, or by somebody else. */
export const ticketLine = (
  me: Enrolled,
  change: Partial<TicketUpdate> = {},
  signer: Signer = me.device.signer,
): Buffer => Buffer.from(encodeEnvelope(signDocument('ticketUpdate', ticketUpdate(me, change), [signer])));
