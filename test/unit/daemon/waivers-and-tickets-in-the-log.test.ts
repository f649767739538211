// What the log says of waivers and of tickets.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { noteWaivers } from '../../../agent/daemon/note-waivers.ts';
import { ticketEntry, ticketUuid } from '../../../agent/outputs/ticket-entry.ts';
import { noteConditions } from '../../../agent/outputs/ticket-book.ts';
import type { Condition, Ticket } from '../../../agent/outputs/ticket.ts';
import { uuidv7 } from '../../../agent/wire/schemas/primitives.ts';
import type { Waiver } from '../../../agent/wire/schemas/site-policy.ts';
import { statementsOf, verdictOn, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

describe('a waiver in the log', () => {
  const waiver: Waiver = {
    ...{ id: 'w-1', check: 'disk', target: 'appliance', reason: 'a new disk comes', approver: 'alice-ames' },
    ...{ issued_at: NOW, expires_at: NOW + 86_400 },
  };
  const policy = (waivers: Waiver[], digest = 'aa'.repeat(32)) => ({ value: { waivers }, digest });
  const target = { id: 'appliance', role: 'appliance', os_build: null };
  const waived = { target, check: { id: 'disk', version: 1 }, waiver_id: 'w-1' };
  const passing = { target, check: { id: 'disk', version: 1 } };
  const note = (
    { store, log }: OpenLog,
    findings: Parameters<typeof noteWaivers>[1],
    inForce: Parameters<typeof noteWaivers>[2],
    now = NOW,
  ): void => noteWaivers({ store, evidence: log }, findings, inForce, now);
  const said = ({ store }: OpenLog) =>
    statementsOf(store).flatMap(({ predicate: p }) =>
      p.kind === 'waiver' ? [[p.state, p.target_id, p.policy_sha256]] : [],
    );

  it('is applied once for each check and target, with who approved it, and ends once: by its time', () =>
    withLog((open) => {
      const { value, digest } = policy([waiver]);
      for (const findings of [[passing], [waived], [waived], [passing], [waived]])
        note(open, findings, { value, digest });
      const other = { ...waived, target: { ...target, id: 'pc-1' } };
      note(open, [waived, other], { value, digest });
      for (const now of [NOW + 86_399, NOW + 86_400, NOW + 90_000]) note(open, [waived, other], { value, digest }, now);
      expect(said(open).map(([state, on]) => `${state} ${on}`)).toEqual([
        ...['applied appliance', 'applied pc-1', 'expired appliance', 'expired pc-1'],
      ]);
      const first = statementsOf(open.store).find(({ predicate: p }) => p.kind === 'waiver');
      expect(first?.predicate).toMatchObject({ waiver_id: 'w-1', approver: 'alice-ames', expires_at: NOW + 86_400 });
      expect(verdictOn(open.store).size).toBe(statementsOf(open.store).length);
    }));

  it('is withdrawn with the policy that does not have it any more, which the entry names, and may be applied again', () =>
    withLog((open) => {
      note(open, [waived], policy([waiver]));
      note(open, [waived], policy([], 'bb'.repeat(32)));
      note(open, [waived], policy([waiver], 'cc'.repeat(32)));
      expect(said(open)).toEqual([
        ['applied', 'appliance', 'aa'.repeat(32)],
        ['withdrawn', 'appliance', 'bb'.repeat(32)],
        ['applied', 'appliance', 'cc'.repeat(32)],
      ]);
    }));

  it('is not applied where the policy in force does not have it', () =>
    withLog((open) => {
      note(open, [waived], null);
      note(open, [waived], policy([]));
      expect(said(open)).toEqual([]);
    }));
});

describe('a ticket in the log', () => {
  const condition: Condition = {
    ...{ key: 'finding/pc-1/windows_av', target: 'pc-1', title: 'Protection against malware (windows_av)' },
    ...{ severity: 'high', seen: 'it is off', nextStep: 'look', controls: [], entries: [3, 4] },
  };
  const book = (tickets: readonly Ticket[], active: boolean, now: number) =>
    noteConditions({
      ...{ active: active ? [condition] : [], undecided: new Set(), tickets, now, applianceId: 'a-1', siteId: 's-1' },
    });

  it('is entered when it opens, closes and opens again, with the entries that it rests on, and not with each change', () =>
    withLog((open) => {
      let tickets: Ticket[] = [];
      const states: (string | undefined)[] = [];
      for (const [active, hours] of [
        [true, 0],
        [false, 1],
        [false, 2],
        [false, 26],
        [true, 30],
      ] as const) {
        for (const { ticket, event } of book(tickets, active, NOW + hours * 3_600)) {
          tickets = [ticket];
          const body = event === null ? null : ticketEntry(event, null);
          if (body !== null) open.log.append('ticket', body);
          if (event !== null) states.push(`${event.action} ${body?.state}`);
        }
      }
      expect(states).toEqual(['opened opened', 'updated undefined', 'closed closed', 'reopened reopened']);
      const entries = statementsOf(open.store).flatMap(({ predicate: p }) => (p.kind === 'ticket' ? [p] : []));
      expect(entries.map(({ state }) => state)).toEqual(['opened', 'closed', 'reopened']);
      expect(entries[0]).toMatchObject({ sentence: condition.title, evidence_seqs: [3, 4], channel: null });
      expect(new Set(entries.map((entry) => entry.ticket_id)).size).toBe(1);
      expect(verdictOn(open.store).size).toBe(statementsOf(open.store).length);
    }));

  it('has a UUIDv7 that carries its id and when it opened, and no other ticket has the same', () => {
    expect(ticketUuid({ id: '0f3a52c1b7d94e68', openedAt: 1_800_000_000 })).toBe(
      '01a3185c-5000-70f3-8a52-c1b7d94e6800',
    );
    const id = fc.stringMatching(/^[0-9a-f]{16}$/);
    fc.assert(
      fc.property(id, id, fc.integer({ min: 0, max: 32_503_679_999 }), (a, b, openedAt) => {
        const uuid = ticketUuid({ id: a, openedAt });
        expect(v.is(uuidv7, uuid)).toBe(true);
        expect(Number.parseInt(uuid.replace('-', '').slice(0, 12), 16)).toBe(openedAt * 1_000);
        expect(uuid === ticketUuid({ id: b, openedAt })).toBe(a === b);
      }),
    );
  });
});
