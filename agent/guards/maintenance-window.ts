// When a site's maintenance windows are open. Days and times are the wall clock of the site's IANA zone
// (docs/maintenance-window.md).
//
// One rule covers daylight saving: a window opens when the site's wall clock first reaches or passes its start, and closes
// when it first reaches or passes its end. So a start in the hour that is left out opens at the first minute after it, and of
// an hour that comes twice the first counts, for start and end alike.
import { AgentError } from '../errors/agent-error.ts';
import { WEEKDAYS, type MaintenanceWindow } from '../wire/schemas/site-policy.ts';
import { isTimeZone } from '../trust/time-zone.ts';
import { firstReached, offsetsOf, type OffsetSpan } from './zone-offsets.ts';

const DAY_S = 86_400;
/**
 * Days looked at. Back: a window of nearly a day that began on the day before `now`, in a zone far west of UTC, plus the day
 * that openingsOf spares. Ahead: past any week that daylight saving empties.
 */
const DAYS_BACK = 4;
const DAYS_AHEAD = 23;

export interface WindowState {
  readonly open: boolean;
  /** When closed: Unix seconds of the next opening; null if there is none within three weeks. Null when open. */
  readonly opensAt: number | null;
  /** When open: Unix seconds at which the last of the adjoining windows closes; null if within three weeks none does. */
  readonly closesAt: number | null;
}

interface Interval {
  readonly from: number;
  readonly to: number;
}

/**
 * The state at `nowUnix`. Windows are half-open: open at `start`, closed at `end`. Windows that overlap or adjoin are one.
 *
 * @throws time_zone_unknown
 */
export function windowState(windows: readonly MaintenanceWindow[], timeZone: string, nowUnix: number): WindowState {
  if (!isTimeZone(timeZone)) {
    throw new AgentError('time_zone_unknown', `this system knows no time zone ${timeZone}`);
  }
  if (windows.length === 0) return { open: false, opensAt: null, closesAt: null };
  const from = nowUnix - DAYS_BACK * DAY_S;
  const to = nowUnix + DAYS_AHEAD * DAY_S;
  const spans = offsetsOf(timeZone, from, to);
  const openings = merged(windows.flatMap((window) => openingsOf(window, spans, from, to)));
  const current = openings.find((interval) => interval.from <= nowUnix && nowUnix < interval.to);
  if (current !== undefined) {
    const endKnown = current.to < to - 2 * DAY_S;
    return { open: true, opensAt: null, closesAt: endKnown ? current.to : null };
  }
  const next = openings.find((interval) => interval.from > nowUnix);
  return { open: false, opensAt: next?.from ?? null, closesAt: null };
}

/** Every opening of one window that starts in [from, to), in ascending order. */
function openingsOf(window: MaintenanceWindow, spans: readonly OffsetSpan[], from: number, to: number): Interval[] {
  const start = secondsOfDay(window.start);
  const end = secondsOfDay(window.end);
  const endsNextDay = end <= start ? DAY_S : 0;
  const openings: Interval[] = [];
  // Days as multiples of 86,400 s of wall-clock time; one day is spared at both ends for offsets from UTC.
  for (let day = Math.ceil(from / DAY_S) + 1; day * DAY_S < to - DAY_S; day++) {
    if (!window.days.includes(weekdayOf(day))) continue;
    const opening = {
      from: firstReached(spans, day * DAY_S + start),
      to: firstReached(spans, day * DAY_S + endsNextDay + end),
    };
    // Start and end in one left-out hour: those minutes did not exist.
    if (opening.from < opening.to) openings.push(opening);
  }
  return openings;
}

function merged(intervals: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const interval of [...intervals].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last !== undefined && interval.from <= last.to) {
      result[result.length - 1] = { from: last.from, to: Math.max(last.to, interval.to) };
    } else {
      result.push(interval);
    }
  }
  return result;
}

/** Day 0 is 1970-01-01, a Thursday. */
function weekdayOf(day: number): MaintenanceWindow['days'][number] {
  return WEEKDAYS[(((day + 3) % 7) + 7) % 7]!;
}

function secondsOfDay(minute: string): number {
  return Number(minute.slice(0, 2)) * 3_600 + Number(minute.slice(3, 5)) * 60;
}
