import { Temporal } from '@js-temporal/polyfill';
import { DateTime } from 'luxon';
import { describe, expect, it } from 'vitest';
import { windowState } from '../../../agent/guards/maintenance-window.ts';
import { WEEKDAYS, type MaintenanceWindow } from '../../../agent/wire/schemas/site-policy.ts';

/** Clocks change on Sunday nights in most of them, and at midnight before Friday in Cairo; by half an hour on Lord Howe. */
const ZONES = [
  'America/New_York',
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'America/Santiago',
  'Africa/Cairo',
  'Pacific/Chatham',
];
/** Two years, with eight changes of the clocks in most zones between them. */
const FROM = Temporal.PlainDate.from('2026-01-05');
const DAYS = 731;
const windowsOf = (zone: string): readonly MaintenanceWindow[] => [
  { days: ['sun'], start: '02:30', end: '03:15' },
  { days: [zone === 'Africa/Cairo' ? 'thu' : 'sat'], start: '23:45', end: '01:30' },
];

type Interval = readonly [from: number, to: number];

/** When the wall clock first reads `wall` or later, by Temporal. */
function reached(zone: string, wall: Temporal.PlainDateTime): number {
  const earlier = wall.toZonedDateTime(zone, { disambiguation: 'earlier' });
  const isGap = !earlier.toPlainDateTime().equals(wall);
  return (isGap ? earlier.getTimeZoneTransition('next')! : earlier).epochMilliseconds / 1_000;
}

function openingsByTemporal(zone: string): Interval[] {
  const openings: [number, number][] = [];
  for (let n = 0; n < DAYS; n++) {
    const date = FROM.add({ days: n });
    for (const { days, start, end } of windowsOf(zone)) {
      if (!days.includes(WEEKDAYS[date.dayOfWeek - 1]!)) continue;
      const until = end > start ? date : date.add({ days: 1 });
      const from = reached(zone, date.toPlainDateTime(Temporal.PlainTime.from(start)));
      const to = reached(zone, until.toPlainDateTime(Temporal.PlainTime.from(end)));
      if (from < to) openings.push([from, to]);
    }
  }
  return openings.toSorted((a, b) => a[0] - b[0]);
}

/** The openings that somebody finds who asks again at each change that he is told of. */
function openingsByWalking(zone: string, from: number, to: number): Interval[] {
  const windows = windowsOf(zone);
  const openings: Interval[] = [];
  for (let now = from; ;) {
    const { open, opensAt, closesAt } = windowState(windows, zone, now);
    if (open) {
      openings.push([now, closesAt!]);
      now = closesAt!;
    } else if (opensAt! >= to) return openings;
    else now = opensAt!;
  }
}

describe('the window over two years of daylight saving', () => {
  it.each(ZONES)('opens and closes to the second as another library says, in %s', (zone) => {
    const expected = openingsByTemporal(zone);
    const [first] = expected;
    const end = expected.at(-1)![1];
    expect(openingsByWalking(zone, first![0] - 60, end)).toEqual(expected);
    expect(expected.length).toBeGreaterThan(200);
    // A third library agrees that the clocks were changed in between, and that most openings are as the policy writes them.
    const written = expected.filter(([from]) => {
      const local = DateTime.fromSeconds(from, { zone }).toFormat('HH:mm');
      return local === '02:30' || local === '23:45';
    });
    const offsets = new Set(expected.map(([from]) => DateTime.fromSeconds(from, { zone }).offset));
    expect(offsets.size).toBe(2);
    expect(expected.length - written.length).toBeLessThanOrEqual(4);
  });
});
