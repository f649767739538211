// Which expected observations are missing: `scope` entries say what is expected and how often, findings and heartbeats say what
// was observed. A miss of more than two cadences is `unobserved`: absence must show beside pass and fail. Pure.
import type { PredicateOf } from '../wire/schemas/entry.ts';

export interface Unobserved {
  readonly target: string;
  readonly check: string;
  readonly cadenceS: number;
  /** Unix seconds: the last observation before (or the scope that began to expect it), and the next one after. */
  readonly from: number;
  readonly to: number;
  /** Runs that the cadence asks for in this time, and those that are on record; null where the log cannot say. */
  readonly expectedRuns: number;
  readonly recordedRuns: number | null;
  /** False where no observation follows. */
  readonly ended: boolean;
}

export interface Coverage {
  scope(entry: Pick<PredicateOf<'scope'>, 'expected' | 'observed_to'>): void;
  finding(entry: Pick<PredicateOf<'finding'>, 'target' | 'check' | 'facts_read_at' | 'seq'>): void;
  heartbeat(entry: Pick<PredicateOf<'heartbeat'>, 'target' | 'unchanged'>): void;
  /** Everything that was missing up to `end` (Unix seconds), by target, check and time. */
  finish(end: number): Unobserved[];
}

/** Entries of kind `heartbeat` come once an hour (docs/evidence.md). */
export const HEARTBEATS_EVERY_S = 3_600;
/** Misses that are none: two cadences, and what ±10 % of jitter in every pause can add up to. */
const MISSES_ALLOWED = 2;
const JITTER_SHARE = 0.1;

interface Pair {
  readonly target: string;
  readonly check: string;
  cadenceS: number;
  at: number;
  sinceSeq: number | null;
  runs: number;
}

export function createCoverage(): Coverage {
  let pairs = new Map<string, Pair>();
  const missing: Unobserved[] = [];

  const note = (pair: Pair, to: number, recordedRuns: number | null, ended: boolean): void => {
    const length = to - pair.at;
    const expectedRuns = Math.floor(length / pair.cadenceS);
    const allowed = MISSES_ALLOWED + Math.ceil(expectedRuns * JITTER_SHARE);
    // Runs are told once an hour only: without their number, silence of that length says nothing yet.
    const isMissing =
      recordedRuns === null
        ? length > HEARTBEATS_EVERY_S + pair.cadenceS * allowed
        : expectedRuns - recordedRuns > allowed;
    if (!isMissing) return;
    const { target, check, cadenceS, at: from } = pair;
    missing.push({ target, check, cadenceS, from, to, expectedRuns, recordedRuns, ended });
  };

  return {
    scope({ expected, observed_to: at }) {
      const next = new Map<string, Pair>();
      for (const { target, check, cadence_s: cadenceS } of expected) {
        const key = `${target} ${check}`;
        const known = pairs.get(key);
        if (known !== undefined) known.cadenceS = cadenceS;
        next.set(key, known ?? { target, check, cadenceS, at, sinceSeq: null, runs: 0 });
      }
      for (const [key, pair] of pairs) if (!next.has(key)) note(pair, at, null, true);
      pairs = next;
    },
    finding({ target, check, facts_read_at: at, seq }) {
      const pair = pairs.get(`${target.id} ${check.id}`);
      if (pair === undefined) return;
      note(pair, at, null, true);
      Object.assign(pair, { at, sinceSeq: seq, runs: 1 });
    },
    heartbeat({ target, unchanged }) {
      for (const { check, since_seq: sinceSeq, runs, last_read_at: at } of unchanged) {
        const pair = pairs.get(`${target.id} ${check}`);
        if (pair === undefined) continue;
        note(pair, at, pair.sinceSeq === sinceSeq ? runs - pair.runs : null, true);
        Object.assign(pair, { at, sinceSeq, runs });
      }
    },
    finish(end) {
      for (const pair of pairs.values()) note(pair, end, null, false);
      const order = (one: Unobserved): string => `${one.target} ${one.check}`;
      return missing.toSorted((a, b) => (order(a) === order(b) ? a.from - b.from : order(a) < order(b) ? -1 : 1));
    },
  };
}
