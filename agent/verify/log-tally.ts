// What is counted on the way through a log. Pure.
import type { EntryKind, Predicate } from '../wire/schemas/entry.ts';
import type { CheckResult } from '../wire/schemas/primitives.ts';

export interface Tally {
  readonly counts: Readonly<Partial<Record<EntryKind, number>>>;
  /** Findings by result. */
  readonly results: Readonly<Partial<Record<CheckResult, number>>>;
  /** Refused orders by code. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Smallest observed_from and largest observed_to, Unix seconds. */
  readonly firstAt: number | null;
  readonly lastAt: number | null;
  /** Entries whose time is before that of their predecessor, or after `now`: no fault, but worth a look. */
  readonly odd: { readonly backwards: number; readonly future: number };
}

/** With the time of the last entry, so that counting can go on from it. Plain JSON. */
export interface TallyState extends Tally {
  readonly previousAt: number;
}

export const NO_TALLY: TallyState = {
  counts: {},
  results: {},
  refusals: {},
  firstAt: null,
  lastAt: null,
  odd: { backwards: 0, future: 0 },
  previousAt: 0,
};

/** Tolerated before an entry counts as being from the future, seconds. */
const FUTURE_TOLERANCE_S = 300;

export interface TallyCounter {
  add(predicate: Predicate): void;
  state(): TallyState;
}

/** @param now Unix seconds; undefined: nothing is from the future */
export function createTally(from: TallyState, now: number | undefined): TallyCounter {
  const counts: Partial<Record<EntryKind, number>> = { ...from.counts };
  const results: Partial<Record<CheckResult, number>> = { ...from.results };
  const refusals = new Map(Object.entries(from.refusals));
  const odd = { ...from.odd };
  let { firstAt, lastAt, previousAt } = from;
  return {
    add(predicate) {
      counts[predicate.kind] = (counts[predicate.kind] ?? 0) + 1;
      if (predicate.kind === 'finding') results[predicate.result] = (results[predicate.result] ?? 0) + 1;
      if (predicate.kind === 'order' && predicate.state === 'refused') {
        const why = predicate.code ?? 'none';
        refusals.set(why, (refusals.get(why) ?? 0) + 1);
      }
      firstAt = Math.min(firstAt ?? predicate.observed_from, predicate.observed_from);
      lastAt = Math.max(lastAt ?? predicate.observed_to, predicate.observed_to);
      if (predicate.observed_to < previousAt) odd.backwards += 1;
      if (now !== undefined && predicate.observed_to > now + FUTURE_TOLERANCE_S) odd.future += 1;
      previousAt = predicate.observed_to;
    },
    state: () => ({ counts, results, refusals: Object.fromEntries(refusals), firstAt, lastAt, odd, previousAt }),
  };
}
