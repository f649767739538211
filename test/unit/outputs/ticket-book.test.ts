import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { observe, type FindingView } from '../../../agent/outputs/conditions.ts';
import { CLOSE_AFTER_S, noteConditions, REOPEN_WITHIN_S, UPDATE_EVERY_S } from '../../../agent/outputs/ticket-book.ts';
import type { Condition, Ticket, TicketEvent } from '../../../agent/outputs/ticket.ts';

const T0 = 1_780_315_200;
const DISK: Condition = {
  key: 'finding/appliance/disk',
  target: 'appliance',
  title: 'Room on the disks (disk)',
  severity: 'medium',
  seen: 'the state volume is 91 % full (limit 90 %)',
  nextStep: 'make room',
  controls: ['164.308(a)(1)(ii)(D)'],
  entries: [7],
};

/** A book that is asked again and again. */
function book() {
  const tickets = new Map<string, Ticket>();
  const events: TicketEvent[] = [];
  return {
    events,
    tickets: () => [...tickets.values()],
    at(now: number, active: readonly Condition[], undecided: readonly string[] = []) {
      const changes = noteConditions({
        active,
        undecided: new Set(undecided),
        tickets: [...tickets.values()],
        now,
        applianceId: 'clinic-1',
        siteId: 'site-1',
      });
      const told: TicketEvent[] = [];
      for (const { ticket, event } of changes) {
        tickets.set(ticket.key, ticket);
        if (event !== null) told.push(event);
      }
      events.push(...told);
      return told.map(({ action, ticket }) => `${action}/${ticket.state}`);
    },
  };
}

describe('the book of tickets', () => {
  it('opens one ticket for a condition, says nothing while it stays, and closes it after a day away', () => {
    const one = book();
    expect(one.at(T0, [DISK])).toEqual(['opened/open']);
    for (let hour = 1; hour < 48; hour++) expect(one.at(T0 + hour * 3_600, [DISK])).toEqual([]);
    const gone = T0 + 48 * 3_600;
    expect(one.at(gone, [])).toEqual([]);
    expect(one.at(gone + UPDATE_EVERY_S, [])).toEqual(['updated/settling']);
    expect(one.at(gone + CLOSE_AFTER_S - 1, [])).toEqual([]);
    expect(one.at(gone + CLOSE_AFTER_S, [])).toEqual(['closed/closed']);
    expect(one.at(gone + CLOSE_AFTER_S + 60, [])).toEqual([]);
  });

  it('opens the same ticket again when the condition comes back, and a new one after a month', () => {
    const one = book();
    one.at(T0, [DISK]);
    one.at(T0 + 10, []);
    one.at(T0 + 10 + CLOSE_AFTER_S, []);
    const [first] = one.tickets();
    const later = T0 + 10 + CLOSE_AFTER_S + 5_000;
    expect(one.at(later, [DISK])).toEqual(['reopened/open']);
    expect(one.tickets()[0]!.id).toBe(first!.id);
    one.at(later + 10, []);
    one.at(later + 10 + CLOSE_AFTER_S, []);
    expect(one.at(later + 11 + CLOSE_AFTER_S + REOPEN_WITHIN_S, [DISK])).toEqual(['opened/open']);
    expect(one.tickets()[0]!.id).not.toBe(first!.id);
  });

  it('tells a change at most every quarter of an hour, and at once when it got worse', () => {
    const one = book();
    one.at(T0, [DISK]);
    expect(one.at(T0 + 60, [{ ...DISK, seen: 'the state volume is 92 % full' }])).toEqual([]);
    expect(one.at(T0 + 120, [{ ...DISK, severity: 'critical' }])).toEqual(['updated/open']);
    expect(one.at(T0 + 180, [{ ...DISK, severity: 'low' }])).toEqual([]);
    expect(one.at(T0 + 120 + UPDATE_EVERY_S, [{ ...DISK, severity: 'low' }])).toEqual(['updated/open']);
  });

  it('tells nothing of a condition that flaps, but that it is there', () => {
    const one = book();
    for (let minute = 0; minute < 600; minute++) one.at(T0 + minute * 60, minute % 2 === 0 ? [DISK] : []);
    expect(one.events.map(({ action }) => action)).toEqual(['opened']);
  });

  it('leaves a ticket as it is while nobody can say whether the condition is there', () => {
    const one = book();
    one.at(T0, [DISK]);
    for (let day = 1; day < 9; day++) expect(one.at(T0 + day * 86_400, [], [DISK.key])).toEqual([]);
    expect(one.tickets()[0]).toMatchObject({ state: 'open', awaySince: null });
  });

  it('closes nothing early where the clock goes back', () => {
    const one = book();
    one.at(T0, [DISK]);
    one.at(T0 + 100, []);
    expect(one.at(T0 - 86_400, [])).toEqual([]);
    expect(one.at(T0 - 1, [])).not.toContain('closed/closed');
  });

  it('keeps one ticket for each condition and closes only what stayed away, whatever comes', () => {
    const step = fc.record({
      after: fc.integer({ min: 1, max: 40_000 }),
      there: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }),
      unsure: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const one = book();
        let now = T0;
        const lastThere = new Map<string, number>();
        for (const { after, there, unsure } of steps) {
          now += after;
          const active = there.map((key) => ({ ...DISK, key }));
          one.at(
            now,
            active,
            unsure.filter((key) => !there.includes(key)),
          );
          for (const key of there) lastThere.set(key, now);
          for (const { action, ticket } of one.events.filter((event) => event.at === now)) {
            if (action === 'closed') expect(now - lastThere.get(ticket.key)!).toBeGreaterThanOrEqual(CLOSE_AFTER_S);
          }
        }
        expect(new Set(one.events.map(({ id }) => id)).size).toBe(one.events.length);
        for (const key of ['a', 'b', 'c']) {
          const actions = one.events.filter((event) => event.ticket.key === key).map(({ action }) => action);
          // Opened once, and between two openings there is a close.
          const openings = actions.filter((action) => action !== 'updated');
          openings.forEach((action, i) => expect(action === 'closed').toBe(i % 2 === 1));
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('what counts as a condition', () => {
  const finding = (result: string): FindingView => ({
    target: 'appliance',
    check: 'disk',
    title: 'Room on the disks',
    result,
    severity: 'high',
    sentence: 'it is full',
    remedy: null,
    controls: [],
    entry: 3,
  });
  const KEY = 'finding/appliance/disk';

  it.each(['pass', 'waived', 'not_applicable'])('a finding that is %s takes its condition away', (result) => {
    expect(observe([finding(result)], [], [KEY])).toEqual({ active: [], undecided: new Set() });
  });

  it('one that is unknown, or not there yet, decides nothing', () => {
    expect(observe([finding('unknown')], [], [KEY]).undecided).toEqual(new Set([KEY]));
    expect(observe([], [], [KEY]).undecided).toEqual(new Set([KEY]));
  });

  it('a failing finding and a raised alert are conditions, each with what a person can do', () => {
    const { active } = observe(
      [finding('fail')],
      [{ code: 'central_unreachable', severity: 'medium', target: null }],
      [],
    );
    expect(active.map(({ key }) => key)).toEqual([KEY, 'alert/central_unreachable']);
    for (const { nextStep, seen } of active) expect([nextStep.length > 5, seen.length > 5]).toEqual([true, true]);
    // Of a target it is a condition of its own, with the words that are known of it.
    const ofTarget = {
      code: 'target_certificate_ends',
      severity: 'low',
      target: 'srv-1',
      seen: 'it ends soon',
    } as const;
    expect(observe([], [ofTarget], []).active).toMatchObject([
      { key: 'alert/target_certificate_ends/srv-1', target: 'srv-1', severity: 'low', seen: 'it ends soon' },
    ]);
    // An alert that is not raised is over.
    expect(observe([], [], ['alert/central_unreachable']).undecided).toEqual(new Set());
  });
});
