import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signDocument } from '../../../agent/wire/document.ts';
import { encodeEnvelope } from '../../../agent/wire/dsse.ts';
import type { TicketUpdate } from '../../../agent/wire/schemas/ticket.ts';
import { identifyClient } from '../../../central/service/identify-client.ts';
import { MAX_TICKETS, takeTicket, type TakenTicket } from '../../../central/service/take-ticket.ts';
import { bindDevice, makeInProcessCentral, type InProcessCentral } from '../../support/central-in-process.ts';
import type { Enrolled } from '../../support/device.ts';
import { expectCode } from '../../support/expect-code.ts';
import { TICKET, ticketLine, ticketUpdate } from '../../support/ticket-updates.ts';

let central: InProcessCentral;
let me: Enrolled;
let other: Enrolled;

beforeAll(async () => {
  central = await makeInProcessCentral();
  me = await bindDevice(central, 'north-1');
  other = await bindDevice(central, 'north-2');
});
afterAll(() => central.remove());

const clientOf = (who: Enrolled) => ({ applianceId: who.applianceId, spki: who.device.tlsSpki });
const tell = (who: Enrolled, change: Partial<TicketUpdate> = {}): TakenTicket['result'] =>
  takeTicket(central, clientOf(who), ticketLine(who, change)).result;
const stateOf = (who: Enrolled, id = TICKET) => {
  const row = central.store.tickets.get(who.applianceId, id);
  return row === null ? null : [row.revision, row.state];
};

describe('an update of a ticket', () => {
  it('counts once however often it comes, and one that was overtaken changes nothing', () => {
    expect([tell(me), tell(me)]).toEqual(['stored', 'known']);
    expect(tell(me, { revision: 3, action: 'closed', state: 'closed', closed_at: 1_790_086_400 })).toBe('stored');
    expect(tell(me, { revision: 2, action: 'updated', state: 'settling' })).toBe('older');
    expect(tell(me)).toBe('older');
    expect(stateOf(me)).toEqual([3, 'closed']);
  });

  it('is refused where another is stored under its revision, and the next one is taken', () => {
    const id = { ticket_id: 'aaaaaaaaaaaaaaaa' };
    tell(me, { ...id, revision: 5 });
    expectCode(() => tell(me, { ...id, revision: 5, severity: 'low' }), 'ticket_conflict');
    expect(tell(me, { ...id, revision: 6, severity: 'low' })).toBe('stored');
  });

  it('brings back a ticket that was lost here, whole', () => {
    const id = { ticket_id: 'bbbbbbbbbbbbbbbb' };
    expect(tell(me, { ...id, revision: 7, action: 'updated', state: 'settling' })).toBe('stored');
    expect(stateOf(me, id.ticket_id)).toEqual([7, 'settling']);
  });

  it('reaches the tickets of its own appliance only', () => {
    tell(other, { revision: 9, state: 'closed', closed_at: 1_790_086_400 });
    expect(stateOf(me)).toEqual([3, 'closed']);
    expect(stateOf(other)).toEqual([9, 'closed']);
    const foreign = ticketUpdate(other, { revision: 10 });
    const body = Buffer.from(encodeEnvelope(signDocument('ticketUpdate', foreign, [me.device.signer])));
    expectCode(() => takeTicket(central, clientOf(me), body), 'identity_mismatch');
    expectCode(() => takeTicket(central, clientOf(me), ticketLine(other, { revision: 10 })), 'signature_invalid');
    expectCode(() => tell(me, { site_id: 'south' }), 'identity_mismatch');
    const stolen = { ...clientOf(other), spki: me.device.tlsSpki };
    expectCode(() => takeTicket(central, stolen, ticketLine(other, { revision: 10 })), 'identity_mismatch');
    expect(stateOf(other)).toEqual([9, 'closed']);
  });

  it('counts under one signature of the device, as an update of a ticket and nothing else', () => {
    const twice = signDocument('ticketUpdate', ticketUpdate(me), [me.device.signer, other.device.signer]);
    const wrong = signDocument(
      'certificateRequest',
      {
        ...{ schema: 'compliance-agent/certificate-request/v1', appliance_id: 'north-1', challenge: null },
        ...{ csr: me.device.csr, csr_sha256: 'ab'.repeat(32), sent_at: 1_790_000_000 },
      },
      [me.device.signer],
    );
    const take = (envelope: typeof twice) => () =>
      takeTicket(central, clientOf(me), Buffer.from(encodeEnvelope(envelope)));
    expectCode(take(twice), 'signature_invalid');
    expectCode(take(wrong), 'payload_type_mismatch');
  });

  it('is not taken from an appliance that was shut out', async () => {
    const thief = await bindDevice(central, 'north-3');
    const how = { reason: 'stolen', revoked_by: 'jane', revoked_at: central.now() };
    central.store.appliances.revoke({ appliance_id: 'north-3', ...how });
    expectCode(() => identifyClient(central, clientOf(thief)), 'appliance_revoked');
    expectCode(() => tell(thief), 'appliance_revoked');
  });
});

describe('an appliance that floods', () => {
  it('displaces its own closed tickets, the oldest first, and never an open one', async () => {
    const greedy = await bindDevice(central, 'north-4');
    const line = ticketLine(greedy).toString();
    const put = (n: number, state: 'open' | 'closed') =>
      central.store.tickets.put({
        ...{ appliance_id: 'north-4', ticket_id: n.toString(16).padStart(16, '0'), revision: 1 },
        ...{ digest: '', state, line, received_at: central.now() + n },
      });
    central.store.unit(() => {
      for (let n = 0; n < MAX_TICKETS; n += 1) put(n, n === 10 || n === 20 ? 'closed' : 'open');
    });
    const has = (n: number): boolean => stateOf(greedy, n.toString(16).padStart(16, '0')) !== null;
    expect(tell(greedy, { ticket_id: 'f'.repeat(16) })).toBe('stored');
    expect([has(10), has(20), has(0)]).toEqual([false, true, true]);
    expect(tell(greedy, { ticket_id: 'e'.repeat(16) })).toBe('stored');
    expectCode(() => tell(greedy, { ticket_id: 'd'.repeat(16) }), 'rate_limited');
    // What is known goes on.
    expect(tell(greedy, { ticket_id: 'f'.repeat(16), revision: 2 })).toBe('stored');
    expect(central.store.tickets.count('north-4')).toBe(MAX_TICKETS);
    expect(stateOf(me)).toEqual([3, 'closed']);
  });
});
