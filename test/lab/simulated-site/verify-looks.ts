// Whether a heal holds on the simulated site: looks by a probe of its own, after the change, decide. Stands for the executor's verify
// (agent/execution), as a function of looks and times.
import type { CheckResult } from '../../../agent/wire/schemas/primitives.ts';

/** Seconds, as the runbook says them. */
export interface VerifyTimes {
  /** The target has to pass within this time of the change. */
  readonly withinS: number;
  /** It then still has to pass after this time; 0: one look is enough. */
  readonly stableForS: number;
}

/** Times are seconds since the change ended, by the monotonic clock. */
export interface VerifyLook {
  readonly atS: number;
  /** When the oldest of the facts was read: what was read before the change says nothing about it. */
  readonly readAtS: number;
  readonly result: CheckResult;
}

export type VerifyVerdict =
  | { readonly verdict: 'healed' }
  /** Look again at this time, seconds since the change. */
  | { readonly verdict: 'look'; readonly atS: number }
  | { readonly verdict: 'roll_back'; readonly because: string };

/** Between two looks while nothing passes yet. */
const LOOK_EVERY_S = 30;

const rollBack = (because: string): VerifyVerdict => ({ verdict: 'roll_back', because });

/** Only `pass` is a pass: a check that was waived, does not apply or cannot be read proves nothing. `elapsedS` since the change. */
export function judgeVerify(times: VerifyTimes, looks: readonly VerifyLook[], elapsedS: number): VerifyVerdict {
  const fresh = looks.filter((look) => look.readAtS >= 0 && look.readAtS <= look.atS).toSorted((a, b) => a.atS - b.atS);
  const first = fresh.findIndex(({ result }) => result === 'pass');
  const passed = fresh[first];
  if (passed === undefined || passed.atS > times.withinS) {
    if (elapsedS < times.withinS) return { verdict: 'look', atS: Math.min(elapsedS + LOOK_EVERY_S, times.withinS) };
    const last = fresh.at(-1);
    return rollBack(last === undefined ? 'nobody could look' : `it did not pass within ${times.withinS} s`);
  }
  const fallen = fresh.slice(first).find(({ result }) => result !== 'pass');
  if (fallen !== undefined) return rollBack(`it passed, and then was ${fallen.result}`);
  const end = passed.atS + times.stableForS;
  if (fresh.some(({ atS }) => atS >= end)) return { verdict: 'healed' };
  // A second look that never comes is no proof either.
  if (elapsedS > end + times.withinS) return rollBack('nobody could look a second time');
  return { verdict: 'look', atS: Math.max(end, elapsedS) };
}
