// What a check said on each day: the worst result of the day, so that a bad hour is not lost in a good month. Pure.
import type { PredicateOf } from '../wire/schemas/entry.ts';
import type { CheckResult } from '../wire/schemas/primitives.ts';
import type { Unobserved } from './coverage.ts';

export type DayState = CheckResult | 'unobserved';

export interface CalendarCell {
  /** Unix seconds: from ≤ time < to. A day, or several where the period is long. */
  readonly from: number;
  readonly to: number;
  /** Null before the check was first observed. */
  readonly state: DayState | null;
}

export interface CalendarRow {
  readonly target: string;
  readonly check: string;
  readonly cells: readonly CalendarCell[];
}

export interface Calendar {
  finding(entry: Pick<PredicateOf<'finding'>, 'target' | 'check' | 'result' | 'facts_read_at'>): void;
  /** @param missing what coverage found missing; from, to: Unix seconds of the period */
  finish(from: number, to: number, missing: readonly Unobserved[]): CalendarRow[];
}

const DAY_S = 86_400;
/** More cells than this fit on no line of a page: days are then taken together. */
const MAX_CELLS = 62;
/** The worst first. */
const ORDER: readonly DayState[] = ['fail', 'unobserved', 'unknown', 'waived', 'pass', 'not_applicable'];

const worst = (states: readonly DayState[]): DayState | null => ORDER.find((one) => states.includes(one)) ?? null;

interface Line {
  readonly target: string;
  readonly check: string;
  /** Day → results that came on it, and the last of them. */
  readonly days: Map<number, { readonly seen: Set<DayState>; last: DayState }>;
}

export function createCalendar(): Calendar {
  const lines = new Map<string, Line>();
  return {
    finding({ target: { id: target }, check: { id: check }, result, facts_read_at: at }) {
      const key = `${target} ${check}`;
      const line = lines.get(key) ?? { target, check, days: new Map() };
      lines.set(key, line);
      const day = Math.floor(at / DAY_S);
      const known = line.days.get(day);
      if (known === undefined) line.days.set(day, { seen: new Set([result]), last: result });
      else {
        known.seen.add(result);
        known.last = result;
      }
    },
    finish(from, to, missing) {
      const [first, last] = [Math.floor(from / DAY_S), Math.floor(Math.max(from, to - 1) / DAY_S)];
      const days = Math.ceil((last - first + 1) / MAX_CELLS);
      return [...lines.values()]
        .map((line): CalendarRow => {
          const silent = missing.filter((one) => one.target === line.target && one.check === line.check);
          return { target: line.target, check: line.check, cells: cellsOf(line, silent, { first, last, days }) };
        })
        .toSorted((a, b) => (`${a.target} ${a.check}` < `${b.target} ${b.check}` ? -1 : 1));
    },
  };
}

function cellsOf(
  line: Line,
  silent: readonly Unobserved[],
  o: { readonly first: number; readonly last: number; readonly days: number },
): CalendarCell[] {
  const before = [...line.days].filter(([day]) => day < o.first).toSorted(([a], [b]) => b - a)[0];
  let state = before?.[1].last ?? null;
  const cells: CalendarCell[] = [];
  for (let begin = o.first; begin <= o.last; begin += o.days) {
    const end = Math.min(begin + o.days, o.last + 1);
    const states: DayState[] = state === null ? [] : [state];
    for (let day = begin; day < end; day += 1) {
      const known = line.days.get(day);
      if (known === undefined) continue;
      states.push(...known.seen);
      state = known.last;
    }
    const [from, to] = [begin * DAY_S, end * DAY_S];
    if (silent.some((one) => one.from < to && one.to > from)) states.push('unobserved');
    cells.push({ from, to, state: worst(states) });
  }
  return cells;
}
