// What must hold of a month of healing, whatever its seed: computed from the log and from what the machines noted themselves, never from
// what a guard or an incident says. Each is named after the guard that keeps it.
import { CONDITIONS, STEP_S, type Change } from './world.ts';
import { LIMITS, LISTED_SHA256, type LogEntry, type Month } from './run-month.ts';

const HOUR = 3_600;
const DAY = 86_400;
const runbookOf = (condition: string): string => CONDITIONS.find(({ id }) => id === condition)?.runbook.id ?? '';
const OUTCOMES: readonly LogEntry['what'][] = ['healed', 'reverted', 'rollback_failed', 'interrupted'];

/** Guard → changes that must not have been made. */
export function violations(month: Month): Readonly<Record<string, readonly Change[]>> {
  const changes = month.hosts.flatMap(({ journal }) => journal).toSorted((a, b) => a.at - b.at);
  const of = (target: string, condition: string, before: number): LogEntry[] =>
    (byIncident.get(`${target} ${condition}`) ?? []).filter(({ at }) => at <= before);
  const byIncident = Map.groupBy(month.log, ({ target, condition }) => `${target} ${condition}`);
  const byTarget = Map.groupBy(month.log, ({ target }) => target);
  const vouched = (target: string, from: number, to: number): boolean =>
    (byTarget.get(target) ?? []).some(({ what, at }) => what === 'people' && from < at && at <= to);
  const which = (broken: (change: Change, earlier: readonly Change[]) => boolean): Change[] =>
    changes.filter((change, i) => broken(change, changes.slice(Math.max(0, i - 200), i)));
  const failedRollbacks = month.log.filter(({ what }) => what === 'rollback_failed');
  const confirmed = month.log.filter(({ what }) => what === 'confirmed');
  const isDc = (target: string): boolean => target.startsWith('dc');
  const hourOf = (at: number): number => Math.floor((at % DAY) / HOUR);
  /** When the change's run had its result, or never. */
  const endOf = ({ target, condition, at }: Change): number =>
    (byIncident.get(`${target} ${condition}`) ?? []).find((e) => e.at > at && OUTCOMES.includes(e.what))?.at ??
    Infinity;
  const resetSince = (target: string, id: string, from: number, to: number): boolean =>
    (byIncident.get(`${target} ${id}`) ?? []).some(({ what, at }) => what === 'reset' && from <= at && at <= to);

  return {
    window: which(({ disruptive, at }) => disruptive && hourOf(at) >= 4 && hourOf(at) < 22),
    clock: which(({ disruptive, at }) => disruptive && !month.weather(at).clockSound),
    dry_run: which(({ at }) => month.weather(at).dryRun),
    verify: which((c) => {
      const end = (byIncident.get(`${c.target} ${c.condition}`) ?? []).find(
        (e) => e.at > c.at && OUTCOMES.includes(e.what),
      );
      if (end?.what !== 'healed') return false;
      const host = month.hosts.find(({ id }) => id === c.target);
      const own = (host?.looks ?? []).filter((l) => l.condition === c.condition && c.until <= l.at && l.at <= end.at);
      const first = own.findIndex(({ good }) => good);
      const passes = first === -1 ? [] : own.slice(first);
      return passes.length < 2 || passes.some(({ good }) => !good);
    }),
    pause: which(({ at }) => month.weather(at).pausedUntil !== null),
    epoch: which(({ at }) => !month.weather(at).memoryWhole),
    trial: which(({ target, condition, at }) => {
      const on = month.weather(at).trialOn;
      return condition === 'av-old' && on !== null && target !== on;
    }),
    journald: which(({ units }) => units.length > 0),
    validation: which(
      ({ sha256, disruptive, at }) => !LISTED_SHA256.has(sha256) || (disruptive && month.weather(at).listExpired),
    ),
    authority: which(({ at }) => !month.weather(at).grants),
    evidence: which(
      ({ target, condition, at }) => !of(target, condition, at).some((e) => e.what === 'intent' && e.at === at),
    ),
    one_at_a_time: which((c, earlier) => earlier.some((o) => o.target !== c.target && endOf(o) > c.at)),
    interrupted: which((c, earlier) => earlier.some((o) => o.target === c.target && endOf(o) > c.at)),
    domain_controllers: which((c, earlier) => {
      if (!isDc(c.target)) return false;
      const lasts = new Map(earlier.filter((o) => isDc(o.target) && o.target !== c.target).map((o) => [o.target, o]));
      return [...lasts.values()].some((o) => {
        const after = (byTarget.get(o.target) ?? []).filter((e) => e.at > o.at && e.at <= c.at);
        return !after.some((e) => e.what === 'people' || (e.what === 'healed' && e.condition === o.condition));
      });
    }),
    cool_down: which((c, earlier) =>
      earlier.some((o) => {
        if (o.target !== c.target || runbookOf(o.condition) !== runbookOf(c.condition)) return false;
        return !vouched(c.target, o.at, c.at) && c.at - endOf(o) < LIMITS.cooldownS;
      }),
    ),
    runs_per_day: which((c, earlier) => {
      const same = earlier.filter((o) => o.target === c.target && runbookOf(o.condition) === runbookOf(c.condition));
      return same.filter((o) => c.at - o.at < DAY && !vouched(c.target, o.at, c.at)).length >= LIMITS.runsPerDay;
    }),
    attempts: which(({ target, condition, at }) => {
      const story = of(target, condition, at - 1);
      const from = story.findLastIndex(({ what }) => ['people', 'healed', 'closed'].includes(what));
      // Who looked into a machine vouches for all of it.
      const failed = story.slice(from + 1).filter((e) => OUTCOMES.includes(e.what) && !vouched(target, e.at, at));
      return failed.length >= LIMITS.maxAttempts;
    }),
    two_looks: which(({ target, condition, at }) => {
      const story = of(target, condition, at);
      const from = story.findLastIndex(
        ({ what, at: when }) => when < at && !['drift', 'confirmed', 'recurred', 'reset'].includes(what),
      );
      const seen = story.slice(from + 1).filter(({ what }) => what === 'drift');
      const isRetry = story[from] !== undefined && ['reverted', 'rollback_failed'].includes(story[from].what);
      return !isRetry && (seen.at(-1)?.at ?? 0) - (seen[0]?.at ?? 0) < STEP_S;
    }),
    flap: which(({ target, condition, at }) => {
      const back = of(target, condition, at).filter(({ what }) => what === 'recurred');
      return LIMITS.flap.some(({ count, withinS }) => back.filter((e) => at - e.at < withinS).length >= count);
    }),
    site_breaker: which((c) => {
      const id = runbookOf(c.condition);
      const resets = (byIncident.get(`site ${id}`) ?? []).filter(({ at }) => at < c.at);
      const from = resets.at(-1)?.at ?? 0;
      const needs = confirmed.filter((e) => runbookOf(e.condition) === id && from < e.at && e.at <= c.at);
      return needs.some((a, n) => needs.slice(n + 1).some((b) => b.target !== a.target && b.at - a.at < HOUR));
    }),
    runbook_breaker: which((c) =>
      failedRollbacks.some((e) => {
        const id = runbookOf(c.condition);
        return (
          e.what === 'rollback_failed' &&
          runbookOf(e.condition) === id &&
          e.at < c.at &&
          !resetSince('runbook', id, e.at, c.at)
        );
      }),
    ),
  };
}
