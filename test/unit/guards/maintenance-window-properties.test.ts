import { Temporal } from '@js-temporal/polyfill';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { describe, it, expect } from 'vitest';
import { windowState } from '../../../agent/guards/maintenance-window.ts';
import { WEEKDAYS, type MaintenanceWindow } from '../../../agent/wire/schemas/site-policy.ts';

const ZONES = [
  'UTC',
  'America/New_York',
  'Europe/Berlin',
  'Europe/Dublin',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/St_Johns',
  'Africa/Casablanca',
  'Africa/Cairo',
  'America/Santiago',
  'America/Sao_Paulo',
  'Asia/Tehran',
  'Pacific/Chatham',
  'Pacific/Apia',
  'Pacific/Kiritimati',
  'Antarctica/Troll',
] as const;

const minute = fc
  .tuple(fc.nat(23), fc.nat(59))
  .map(([h, m]) => `${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`);
const window: fc.Arbitrary<MaintenanceWindow> = fc
  .record({ days: fc.subarray([...WEEKDAYS], { minLength: 1 }), start: minute, end: minute })
  .filter((w) => w.start !== w.end);
const windows = fc.array(window, { minLength: 1, maxLength: 3 });

const offsetChanges = new Map<string, number[]>();
/** Instants at which a zone changes its offset, 2008–2028, as Temporal knows them. */
function changesOf(zone: string): number[] {
  let changes = offsetChanges.get(zone);
  if (changes === undefined) {
    changes = [];
    let next = Temporal.Instant.from('2008-01-01T00:00Z').toZonedDateTimeISO(zone).getTimeZoneTransition('next');
    while (next !== null && next.year < 2028) {
      changes.push(next.epochMilliseconds / 1000);
      next = next.getTimeZoneTransition('next');
    }
    offsetChanges.set(zone, changes);
  }
  return changes;
}

/** Any moment, and mostly one within two days of a change of the clocks. */
const zoneAndNow = fc.constantFrom(...ZONES).chain((zone) => {
  const changes = changesOf(zone);
  const any = fc.integer({ min: 1_199_145_600, max: 1_830_000_000 });
  const near = fc
    .tuple(
      fc.constantFrom(...(changes.length > 0 ? changes : [1_780_000_000])),
      fc.integer({ min: -172_800, max: 172_800 }),
    )
    .map(([change, distance]) => change + distance);
  return fc.tuple(fc.constant(zone), fc.oneof({ weight: 1, arbitrary: any }, { weight: 4, arbitrary: near }));
});

/** When the wall clock first reaches or passes a time, by Temporal's own rules for gaps and overlaps. */
function reachedByTemporal(zone: string, wall: Temporal.PlainDateTime): number {
  const earlier = wall.toZonedDateTime(zone, { disambiguation: 'earlier' });
  if (earlier.toPlainDateTime().equals(wall)) return earlier.epochMilliseconds / 1000;
  // In a gap: `earlier` lies before it, so the next change of offset is the end of the gap.
  return earlier.getTimeZoneTransition('next')!.epochMilliseconds / 1000;
}

/** Openings around `now`, written down from the definition with Temporal alone. */
function openingsByTemporal(list: readonly MaintenanceWindow[], zone: string, now: number): [number, number][] {
  const today = Temporal.Instant.fromEpochMilliseconds(now * 1000)
    .toZonedDateTimeISO(zone)
    .toPlainDate();
  const openings: [number, number][] = [];
  for (let offset = -2; offset <= 16; offset++) {
    const date = today.add({ days: offset });
    for (const { days, start, end } of list) {
      if (!days.includes(WEEKDAYS[date.dayOfWeek - 1]!)) continue;
      const last = end <= start ? date.add({ days: 1 }) : date;
      const from = reachedByTemporal(zone, date.toPlainDateTime(start));
      const to = reachedByTemporal(zone, last.toPlainDateTime(end));
      if (from < to) openings.push([from, to]);
    }
  }
  return openings;
}

function stateByTemporal(list: readonly MaintenanceWindow[], zone: string, now: number) {
  const openings = openingsByTemporal(list, zone, now);
  const isOpen = (t: number): boolean => openings.some(([from, to]) => from <= t && t < to);
  if (isOpen(now)) {
    let end = now;
    for (let more = true; more;) {
      const reaching = openings.filter(([from, to]) => from <= end && to > end).map(([, to]) => to);
      more = reaching.length > 0;
      if (more) end = Math.max(...reaching);
    }
    return { open: true, opensAt: null, closesAt: end };
  }
  const starts = openings.map(([from]) => from).filter((from) => from > now);
  return { open: false, opensAt: starts.length === 0 ? null : Math.min(...starts), closesAt: null };
}

describe('the state of maintenance windows', () => {
  it('equals what Temporal gives for any windows in 16 zones, mostly around changes of the clocks', () => {
    fc.assert(
      fc.property(windows, zoneAndNow, (list, [zone, now]) => {
        const ours = windowState(list, zone, now);
        const theirs = stateByTemporal(list, zone, now);
        // Temporal's side looks 16 days ahead; windows without an end in sight have none in ours either.
        if (ours.open && ours.closesAt === null) return theirs.open && theirs.closesAt! > now + 13 * 86_400;
        expect(ours).toEqual(theirs);
        return true;
      }),
      { numRuns: 1_500 },
    );
  }, 120_000);

  it('equals a minute-by-minute reading of the wall clock by luxon, around changes of the clocks', () => {
    fc.assert(
      fc.property(window, zoneAndNow, (only, [zone, anyNow]) => {
        const now = Math.floor(anyNow / 60) * 60;
        expect(windowState([only], zone, now).open).toBe(openByWallClock(only, zone, now));
      }),
      { numRuns: 60 },
    );
  }, 120_000);

  it('changes exactly at the times that it names', () => {
    fc.assert(
      fc.property(windows, zoneAndNow, (list, [zone, now]) => {
        const state = windowState(list, zone, now);
        const change = state.open ? state.closesAt : state.opensAt;
        if (change === null) return;
        expect(windowState(list, zone, change - 1).open).toBe(state.open);
        expect(windowState(list, zone, change).open).toBe(!state.open);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});

/**
 * Brute force: walks the wall clock minute by minute from two and a half days before, notes when it first reaches or passes
 * each start and each end, and asks whether `now` lies between.
 */
function openByWallClock(only: MaintenanceWindow, zone: string, now: number): boolean {
  const firstDay = DateTime.fromSeconds(now, { zone }).startOf('day').minus({ days: 2 });
  const pending: { wall: string; key: string }[] = [];
  for (let day = 0; day <= 3; day++) {
    // Plain calendar arithmetic in UTC: the date as such has no zone.
    const date = DateTime.utc(firstDay.year, firstDay.month, firstDay.day).plus({ days: day });
    if (!only.days.includes(WEEKDAYS[date.weekday - 1]!)) continue;
    const last = only.end <= only.start ? date.plus({ days: 1 }) : date;
    pending.push({ wall: `${date.toISODate()}T${only.start}`, key: `from ${day}` });
    pending.push({ wall: `${last.toISODate()}T${only.end}`, key: `to ${day}` });
  }
  const reached = new Map<string, number>();
  const start = Math.floor(now / 60) * 60 - 3.5 * 86_400;
  for (let t = start; t <= now; t += 60) {
    const wall = DateTime.fromSeconds(t, { zone }).toFormat("yyyy-MM-dd'T'HH:mm");
    for (const { wall: wanted, key } of pending) if (!reached.has(key) && wall >= wanted) reached.set(key, t);
  }
  return pending.some(({ key }) => {
    if (!key.startsWith('from')) return false;
    return reached.has(key) && !reached.has(key.replace('from', 'to'));
  });
}
