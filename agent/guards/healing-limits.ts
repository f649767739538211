// How often healing may try, and the check that no limit makes another one meaningless.

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

/** Drift that came back `count` times within `withinS` is not healed any more: something else brings it back. */
export interface FlapLimit {
  readonly count: number;
  readonly withinS: number;
}

export interface HealingLimits {
  /** Between two runs of one runbook on one target. */
  readonly cooldownS: number;
  /** Failed runs of one incident; then people. */
  readonly maxAttempts: number;
  /** Least pause after the first, second … failed run; the last one counts for all further ones. */
  readonly backoffS: readonly number[];
  /** Runs of one runbook on one target within 24 hours, of whatever outcome. */
  readonly runsPerDay: number;
  readonly flap: readonly FlapLimit[];
}

export const DEFAULT_LIMITS: HealingLimits = {
  cooldownS: 5 * MINUTE_S,
  maxAttempts: 3,
  backoffS: [5 * MINUTE_S, 10 * MINUTE_S, 20 * MINUTE_S],
  runsPerDay: 6,
  flap: [
    { count: 3, withinS: 4 * HOUR_S },
    { count: 5, withinS: DAY_S },
  ],
};

/** Drift has to be seen twice, this far apart, before anything is done about it; unless it is critical. */
export const TWO_LOOKS_S = 5 * MINUTE_S;
/** Over which the runs of a day are counted. */
export const RUNS_WINDOW_S = DAY_S;

/** How close together `count` recurrences can lie at most: one follows each run, and runs keep to cool-down and day. */
function shortestSpanS(count: number, { cooldownS, runsPerDay }: HealingLimits): number {
  const step = Math.max(cooldownS, TWO_LOOKS_S);
  const at: number[] = [0];
  for (let i = 1; i < count; i++) {
    const afterDay = i < runsPerDay ? 0 : (at[i - runsPerDay] ?? 0) + RUNS_WINDOW_S;
    at.push(Math.max((at[i - 1] ?? 0) + step, afterDay));
  }
  return at.at(-1) ?? 0;
}

/** What is wrong with these limits together, as clauses; empty where every one of them can be met. */
export function limitProblems(limits: HealingLimits): readonly string[] {
  const { cooldownS, maxAttempts, backoffS, runsPerDay, flap } = limits;
  const numbers = [cooldownS, maxAttempts, runsPerDay, ...backoffS, ...flap.flatMap((f) => [f.count, f.withinS])];
  if (!numbers.every((n) => Number.isSafeInteger(n) && n > 0)) return ['every limit must be a whole number above 0'];
  const problems: string[] = [];
  if (backoffS.length === 0) problems.push('there is no pause after a failed run');
  if (backoffS.some((pause, i) => i > 0 && pause < (backoffS[i - 1] ?? 0))) {
    problems.push('a pause after a failed run is shorter than the one before it');
  }
  if (maxAttempts > runsPerDay) {
    problems.push(`${maxAttempts} failed runs are never reached: ${runsPerDay} runs a day are allowed`);
  }
  if (flap.length === 0) problems.push('no flap limit: drift that always comes back would be healed for ever');
  for (const { count, withinS } of flap) {
    if (shortestSpanS(count, limits) >= withinS) {
      const rest = `with a cool-down of ${cooldownS} s and ${runsPerDay} runs a day`;
      problems.push(`the flap limit of ${count} in ${withinS} s is never reached ${rest}`);
    }
  }
  return problems;
}
