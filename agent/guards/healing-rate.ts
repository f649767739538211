// The guards that count: cool-down, failed attempts with their pauses, runs of a day, flapping. Times that lie ahead (signed time was
// set back, or a row is wrong) count as now: they never make room.
import { RUNS_WINDOW_S, TWO_LOOKS_S, type HealingLimits } from './healing-limits.ts';
import { people, wait, type HealingRun, type HealingStop } from './healing-facts.ts';

const isFailed = ({ outcome }: HealingRun): boolean => outcome === 'failed' || outcome === 'reverted';
/** A dry run changed nothing: it is no attempt. */
const isReal = ({ outcome }: HealingRun): boolean => outcome !== 'dry_run';
const latest = (runs: readonly HealingRun[]): number => Math.max(...runs.map((run) => run.endedAt ?? run.startedAt));

/** `runs`: of this target and runbook. */
export function coolDown(runs: readonly HealingRun[], limits: HealingLimits, now: number): HealingStop | null {
  if (runs.length === 0) return null;
  const until = latest(runs) + limits.cooldownS;
  return now < until ? wait(`the last run is less than ${limits.cooldownS} s ago`, until) : null;
}

/** `runs`: of this incident. */
export function attempts(
  runs: readonly HealingRun[],
  limits: HealingLimits,
  from: number,
  now: number,
): HealingStop | null {
  const failed = runs.filter((run) => isFailed(run) && run.startedAt >= from);
  if (failed.length >= limits.maxAttempts) return people(`${failed.length} runs failed`);
  if (failed.length === 0) return null;
  const pause = limits.backoffS[Math.min(failed.length, limits.backoffS.length) - 1] ?? limits.cooldownS;
  const until = latest(failed) + pause;
  return now < until
    ? wait(`${failed.length} of ${limits.maxAttempts} runs failed; the next comes later`, until)
    : null;
}

/** `runs`: of this target and runbook. */
export function runsOfADay(runs: readonly HealingRun[], limits: HealingLimits, now: number): HealingStop | null {
  const counted = runs.filter((run) => isReal(run) && now - run.startedAt < RUNS_WINDOW_S);
  if (counted.length < limits.runsPerDay) return null;
  const starts = counted.map((run) => run.startedAt).toSorted((a, b) => b - a);
  const until = (starts[limits.runsPerDay - 1] ?? now) + RUNS_WINDOW_S;
  return wait(`${limits.runsPerDay} runs in 24 hours are all there are`, until);
}

/** What comes back again and again is brought back by somebody else: healing it once more helps nobody. */
export function flapping(recurredAt: readonly number[], limits: HealingLimits, now: number): HealingStop | null {
  for (const { count, withinS } of limits.flap) {
    const recent = recurredAt.filter((at) => now - at < withinS).length;
    if (recent >= count)
      return people(`it came back ${recent} times within ${withinS} s; something else brings it back`);
  }
  return null;
}

/** Drift seen once may be a moment's. */
export function twoLooks(seenAt: readonly number[], now: number): HealingStop | null {
  const past = seenAt.filter((at) => at <= now);
  const first = Math.min(...past);
  const last = Math.max(...past);
  if (past.length > 1 && last - first >= TWO_LOOKS_S) return null;
  return wait(
    'it was seen once, and is acted on when it is seen again',
    past.length === 0 ? null : first + TWO_LOOKS_S,
  );
}
