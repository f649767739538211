// Offsets of a time zone from UTC over a stretch of time, read from Intl alone (ICU's copy of the IANA database).

/** From `from` (Unix seconds, inclusive) until the next span begins, wall clock = UTC + `offset` seconds. */
export interface OffsetSpan {
  readonly from: number;
  readonly offset: number;
}

/** No zone changes its offset twice within this many seconds. */
const SAMPLE_S = 3 * 3_600;

/** The spans of [from, to), in ascending order; the first begins at `from`. */
export function offsetsOf(timeZone: string, from: number, to: number): OffsetSpan[] {
  const offsetAt = offsetReader(timeZone);
  const spans: OffsetSpan[] = [{ from, offset: offsetAt(from) }];
  for (let t = from; t < to; t += SAMPLE_S) {
    const before = spans.at(-1)!.offset;
    const after = offsetAt(t + SAMPLE_S);
    if (after !== before) spans.push({ from: firstWith(offsetAt, t, t + SAMPLE_S, before), offset: after });
  }
  return spans;
}

/**
 * The first instant (Unix seconds) of the spans at which the wall clock reads `wall` or later. `wall` is wall-clock time
 * written as if it were UTC. After the last span's beginning every wall time is reached.
 */
export function firstReached(spans: readonly OffsetSpan[], wall: number): number {
  for (const [i, span] of spans.entries()) {
    const instant = Math.max(span.from, wall - span.offset);
    const next = spans[i + 1];
    if (next === undefined || instant < next.from) return instant;
  }
  throw new RangeError('a zone has at least one span');
}

/** First second in (low, high] whose offset is not `before`. */
function firstWith(offsetAt: (t: number) => number, low: number, high: number, before: number): number {
  let [lo, hi] = [low, high];
  while (hi - lo > 1) {
    const middle = Math.floor((lo + hi) / 2);
    if (offsetAt(middle) === before) lo = middle;
    else hi = middle;
  }
  return hi;
}

function offsetReader(timeZone: string): (t: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (t) => {
    const field: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(t * 1_000)) field[type] = Number(value);
    const wall = Date.UTC(field.year!, field.month! - 1, field.day, field.hour, field.minute, field.second);
    return wall / 1_000 - t;
  };
}
