import { describe, it, expect } from 'vitest';
import { windowState } from '../../../agent/guards/maintenance-window.ts';
import type { MaintenanceWindow, Weekday } from '../../../agent/wire/schemas/site-policy.ts';
import { expectCode } from '../../support/expect-code.ts';

const DAILY: Weekday[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const every = (start: string, end: string): MaintenanceWindow[] => [{ days: DAILY, start, end }];
const on = (days: Weekday[], start: string, end: string): MaintenanceWindow => ({ days, start, end });
const at = (iso: string): number => Date.parse(iso) / 1000;
/** The opening that is or comes next at `now`, as ISO times. */
function opening(windows: MaintenanceWindow[], zone: string, now: string): [string | null, string | null] {
  const state = windowState(windows, zone, at(now));
  const start = state.open ? null : state.opensAt;
  const end = windowState(windows, zone, start ?? at(now)).closesAt;
  const iso = (t: number | null): string | null => (t === null ? null : new Date(t * 1000).toISOString().slice(0, 16));
  return [iso(start), iso(end)];
}

describe('a maintenance window', () => {
  it('is half-open: open in the second of its start, closed in the second of its end', () => {
    const windows = every('22:00', '23:00');
    const states = ['21:59:59', '22:00:00', '22:59:59', '23:00:00'].map(
      (time) => windowState(windows, 'UTC', at(`2026-06-01T${time}Z`)).open,
    );
    expect(states).toEqual([false, true, true, false]);
  });
  it('says when it opens while closed, and when it closes while open', () => {
    const windows = every('22:00', '04:00');
    expect(windowState(windows, 'UTC', at('2026-06-01T12:00:00Z'))).toEqual({
      open: false,
      opensAt: at('2026-06-01T22:00:00Z'),
      closesAt: null,
    });
    expect(windowState(windows, 'UTC', at('2026-06-02T01:00:00Z'))).toEqual({
      open: true,
      opensAt: null,
      closesAt: at('2026-06-02T04:00:00Z'),
    });
  });
  it('belongs to the day on which it starts: a Friday window is open early on Saturday and not early on Friday', () => {
    const windows = [on(['fri'], '22:00', '04:00')];
    expect(windowState(windows, 'UTC', at('2026-06-05T03:00:00Z')).open).toBe(false);
    expect(windowState(windows, 'UTC', at('2026-06-06T03:00:00Z')).open).toBe(true);
  });
  it('counts days in the zone of the site, not in UTC', () => {
    const windows = [on(['tue'], '01:00', '02:00')];
    // Tuesday 01:00 in Auckland is Monday 13:00 UTC.
    expect(opening(windows, 'Pacific/Auckland', '2026-06-01T00:00:00Z')).toEqual([
      '2026-06-01T13:00',
      '2026-06-01T14:00',
    ]);
  });
  it('that ends at midnight and one that starts there are one opening', () => {
    const windows = [on(['mon'], '22:00', '00:00'), on(['tue'], '00:00', '03:00')];
    expect(opening(windows, 'UTC', '2026-06-01T12:00:00Z')).toEqual(['2026-06-01T22:00', '2026-06-02T03:00']);
  });
  it('that overlaps another extends it', () => {
    const windows = [on(['mon'], '20:00', '23:00'), on(['mon'], '22:00', '01:00')];
    expect(opening(windows, 'UTC', '2026-06-01T12:00:00Z')).toEqual(['2026-06-01T20:00', '2026-06-02T01:00']);
  });
  it('has no end in sight where windows follow each other day and night', () => {
    const windows = [...every('00:00', '12:00'), ...every('12:00', '00:00')];
    expect(windowState(windows, 'Europe/Berlin', at('2026-03-29T00:30:00Z'))).toEqual({
      open: true,
      opensAt: null,
      closesAt: null,
    });
  });
  it('is never open where a site has none', () => {
    expect(windowState([], 'UTC', at('2026-06-01T12:00:00Z'))).toEqual({ open: false, opensAt: null, closesAt: null });
  });
  it('of nearly a day is open to its last second, also in a zone west of UTC', () => {
    const windows = [on(['sun'], '19:02', '19:01')];
    const end = at('2018-11-06T00:01:00Z');
    expect(windowState(windows, 'America/New_York', end - 1)).toEqual({ open: true, opensAt: null, closesAt: end });
    expect(windowState(windows, 'America/New_York', end).open).toBe(false);
  });
  it('of once a week is found six days ahead', () => {
    const windows = [on(['sun'], '03:00', '04:00')];
    expect(opening(windows, 'UTC', '2026-06-01T12:00:00Z')).toEqual(['2026-06-07T03:00', '2026-06-07T04:00']);
  });
  it('in a zone that the system does not know is an error and not a closed window', () => {
    expectCode(() => windowState(every('22:00', '04:00'), 'Europe/Atlantis', 0), 'time_zone_unknown');
    expectCode(() => windowState(every('22:00', '04:00'), '+02:00', 0), 'time_zone_unknown');
  });
});

describe('daylight saving', () => {
  it('opens a window whose start is left out at the first minute after the gap (Berlin, 2026-03-29)', () => {
    expect(opening(every('02:30', '05:00'), 'Europe/Berlin', '2026-03-28T12:00:00Z')).toEqual([
      '2026-03-29T01:00',
      '2026-03-29T03:00',
    ]);
  });
  it('closes a window whose end is left out at the first minute after the gap (New York, 2026-03-08)', () => {
    expect(opening(every('01:00', '02:30'), 'America/New_York', '2026-03-08T00:00:00Z')).toEqual([
      '2026-03-08T06:00',
      '2026-03-08T07:00',
    ]);
  });
  it('skips a window that lies within the gap', () => {
    expect(opening(every('02:10', '02:50'), 'Europe/Berlin', '2026-03-28T12:00:00Z')[0]).toBe('2026-03-30T00:10');
  });
  it('opens a window whose start comes twice at the first, and keeps it open through the second (Berlin, 2026-10-25)', () => {
    expect(opening(every('02:30', '04:00'), 'Europe/Berlin', '2026-10-24T12:00:00Z')).toEqual([
      '2026-10-25T00:30',
      '2026-10-25T03:00',
    ]);
  });
  it('closes a window whose end comes twice at the first, so that it is never open longer than it says', () => {
    expect(opening(every('22:00', '02:30'), 'Europe/Berlin', '2026-10-24T12:00:00Z')).toEqual([
      '2026-10-24T20:00',
      '2026-10-25T00:30',
    ]);
  });
  it('opens a window within the repeated hour once', () => {
    expect(opening(every('02:10', '02:50'), 'Europe/Berlin', '2026-10-24T12:00:00Z')).toEqual([
      '2026-10-25T00:10',
      '2026-10-25T00:50',
    ]);
    expect(windowState(every('02:10', '02:50'), 'Europe/Berlin', at('2026-10-25T01:20:00Z')).open).toBe(false);
  });
  it('of half an hour is followed to the minute (Lord Howe, 2026-10-04)', () => {
    expect(opening(every('02:15', '03:00'), 'Australia/Lord_Howe', '2026-10-03T12:00:00Z')).toEqual([
      '2026-10-03T15:30',
      '2026-10-03T16:00',
    ]);
  });
  it('that takes midnight away opens a window of 00:00 at 01:00 (Cairo, 2026-04-24)', () => {
    expect(opening([on(['fri'], '00:00', '03:00')], 'Africa/Cairo', '2026-04-23T12:00:00Z')).toEqual([
      '2026-04-23T22:00',
      '2026-04-24T00:00',
    ]);
  });
  it('that takes a whole day away lets a window of that day begin with the next (Apia, 2011-12-30)', () => {
    expect(opening([on(['fri'], '22:00', '04:00')], 'Pacific/Apia', '2011-12-30T00:00:00Z')).toEqual([
      '2011-12-30T10:00',
      '2011-12-30T14:00',
    ]);
  });
});
