// What becomes of a learnt rule on this appliance once people have signed it: on trial for two days, then active, and out of use by
// itself where it does not hold. Pure.

/** On trial for so long, and at least until one heal of it was verified. */
export const CANARY_S = 48 * 3_600;
/** Verified heals of its newest runs, in per cent; below it is not used any more. */
export const MIN_HOLDS_PERCENT = 80;
/** Runs that count. */
export const NEWEST_RUNS = 20;

export type LearntState = 'canary' | 'active' | 'demoted';

/** A learnt rule by its digest: another version of it is another one, and begins anew. Times are Unix seconds of signed time. */
export interface LearntRule {
  readonly id: string;
  readonly version: number;
  readonly sha256: string;
  /** SHA-256 of the pattern that it was learnt from. */
  readonly patternSha256: string;
  readonly state: LearntState;
  /** As `canary`: when its trial ends at the earliest. */
  readonly until: number;
  /** As `canary`: the target of its first run in this trial. */
  readonly targetId: string | null;
  /** Of its newest runs, oldest first: whether the heal was verified. */
  readonly outcomes: readonly boolean[];
}

type Identity = Pick<LearntRule, 'id' | 'version' | 'sha256' | 'patternSha256'>;

/** It is in force for the first time. */
export const beginTrial = (rule: Identity, now: number): LearntRule => ({
  ...{ id: rule.id, version: rule.version, sha256: rule.sha256, patternSha256: rule.patternSha256 },
  ...{ state: 'canary', until: now + CANARY_S, targetId: null, outcomes: [] },
});

/** It is about to change `targetId`. */
export const afterBegin = (rule: LearntRule, targetId: string): LearntRule =>
  rule.state === 'canary' && rule.targetId === null ? { ...rule, targetId } : rule;

/** A run of it ended, verified or not. What says nothing about the rule (a dry run, one that was cut off) is not told here. */
export function afterRun(rule: LearntRule, verified: boolean): LearntRule {
  const outcomes = [...rule.outcomes, verified].slice(-NEWEST_RUNS);
  const good = outcomes.filter(Boolean).length;
  const holds = good * 100 >= MIN_HOLDS_PERCENT * outcomes.length;
  return { ...rule, outcomes, state: holds ? rule.state : 'demoted' };
}

/** Its trial ends with a verified heal; without one the next begins, on whatever target needs it then. */
export function afterTime(rule: LearntRule, now: number): LearntRule {
  if (rule.state !== 'canary' || now < rule.until) return rule;
  if (rule.outcomes.includes(true)) return { ...rule, state: 'active', targetId: null };
  return { ...rule, until: now + CANARY_S, targetId: null };
}
