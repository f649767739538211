// How often, for how much and how soon again a model may be asked, computed from the calls that the store keeps. Pure.
import type { PlannerCallRow } from '../../store/open-store.ts';
import type { Endpoint } from './endpoints.ts';
import type { PlannerLimits } from './planner-types.ts';

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

export const DEFAULT_PLANNER_LIMITS: PlannerLimits = {
  deadlineMs: 60_000,
  tokensPerCall: 20_000,
  callsPerHour: 10,
  callsPerDay: 40,
  tokensPerDay: 400_000,
};

/** A finding is asked about once within this time, whatever came of it: not 790 times for one firewall. */
export const PLAN_WINDOW_S = DAY_S;
/** Calls older than this count for no budget. */
export const BUDGET_WINDOW_S = DAY_S;
/** So many failures of an endpoint, one after the other, open its breaker … */
const BREAKER_FAILURES = 3;
/** … for this long, twice as long with each further one, and no longer than a day. */
const BREAKER_S = 15 * MINUTE_S;
/** 1 cent in the unit that money is counted in: tokens × cents per million tokens. */
const MICRO_CENTS = 1_000_000;

export type BudgetVerdict =
  | { readonly allowed: true; readonly microCents: number }
  | {
      readonly allowed: false;
      readonly code: 'planner_budget_spent' | 'planner_breaker_open';
      readonly sentence: string;
    };

const spent = (sentence: string): BudgetVerdict => ({ allowed: false, code: 'planner_budget_spent', sentence });
const broken = (sentence: string): BudgetVerdict => ({ allowed: false, code: 'planner_breaker_open', sentence });

export const microCentsOf = (tokens: number, { centsPerMillionTokens }: Endpoint): number =>
  tokens * centsPerMillionTokens;

const total = (calls: readonly PlannerCallRow[], of: 'tokens' | 'microCents'): number =>
  calls.reduce((sum, call) => sum + call[of], 0);

/** Ended without an answer of use. */
const FAILED = new Set<string | null>(['planner_unavailable', 'planner_answer_refused']);

/** Until when an endpoint is left alone; null: it may be asked. Calls dated ahead count as now: time that was set back frees nothing. */
export function restsUntil(calls: readonly PlannerCallRow[], now: number): number | null {
  const wants = calls.map(({ retryAt }) => retryAt ?? 0).filter((at) => at > now);
  const ended = calls.filter(({ state }) => state === 'ended');
  const sound = ended.findLastIndex(({ code }) => !FAILED.has(code));
  const failures = ended.slice(sound + 1);
  const last = failures.at(-1);
  const more = failures.length - BREAKER_FAILURES;
  if (last !== undefined && more >= 0) {
    const until = Math.min(last.at, now) + Math.min(BREAKER_S * 2 ** Math.min(more, 10), DAY_S);
    if (now < until) wants.push(until);
  }
  return wants.length === 0 ? null : Math.max(...wants);
}

/**
 * May `endpoint` be asked something of at most `tokens` now?
 *
 * @param calls of the last {@link BUDGET_WINDOW_S}, oldest first; one without an answer counts with the most that it may have cost
 * @param moneyPerDayCents of the signed policy
 */
export function judgeBudget(
  o: { readonly endpoint: Endpoint; readonly tokens: number; readonly now: number; readonly moneyPerDayCents: number },
  calls: readonly PlannerCallRow[],
  limits: PlannerLimits,
): BudgetVerdict {
  const { endpoint, tokens, now } = o;
  if (tokens > limits.tokensPerCall) return spent('the question is longer than one call may be');
  const ofDay = calls.filter(({ at }) => now - at < BUDGET_WINDOW_S);
  const rest = restsUntil(
    ofDay.filter((call) => call.endpoint === endpoint.kind),
    now,
  );
  if (rest !== null) return broken('the model failed or asked for a pause, and is left alone for now');
  const ofHour = ofDay.filter(({ at }) => now - at < HOUR_S);
  if (ofHour.length >= limits.callsPerHour) return spent(`${limits.callsPerHour} calls within an hour are used up`);
  if (ofDay.length >= limits.callsPerDay) return spent(`${limits.callsPerDay} calls within a day are used up`);
  if (total(ofDay, 'tokens') + tokens > limits.tokensPerDay) return spent('the tokens of a day are used up');
  const microCents = microCentsOf(tokens, endpoint);
  if (total(ofDay, 'microCents') + microCents > o.moneyPerDayCents * MICRO_CENTS) {
    return spent('the money of a day is used up');
  }
  return { allowed: true, microCents };
}
