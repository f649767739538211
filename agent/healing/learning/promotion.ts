// From a candidate to a rule in force and back: what may follow what, and when it does so by itself. Pure; nothing calls it yet
// (docs/healing-learning.md).

export type LearntState = 'candidate' | 'approved' | 'rejected' | 'canary' | 'active' | 'demoted';

/** A learnt rule is watched for this long before it counts as any other. */
export const CANARY_S = 48 * 3_600;
/** Below this share of verified heals, in per cent, a learnt rule goes. */
export const DEMOTE_BELOW_PERCENT = 80;

export interface Learnt {
  readonly state: LearntState;
  /** Since when it is in this state. */
  readonly since: number;
  /** Runs by the learnt rule since it came into force, counted as in statistics.ts. */
  readonly tried: number;
  readonly verified: number;
  /** Whether the content list in force names the rule with its digest. */
  readonly listed: boolean;
}

/**
 * The state that follows now. People approve and reject; only a signed content list brings a rule into force and takes it out; a canary
 * that was never tried stays one; what was demoted or rejected never comes back by itself.
 */
export function nextState(learnt: Learnt, now: number): LearntState {
  const { state, since, tried, verified, listed } = learnt;
  const failing = tried > 0 && verified * 100 < DEMOTE_BELOW_PERCENT * tried;
  switch (state) {
    case 'candidate':
    case 'rejected':
    case 'demoted':
      return state;
    case 'approved':
      return listed ? 'canary' : 'approved';
    case 'canary':
      if (!listed || failing) return 'demoted';
      return now - since >= CANARY_S && verified > 0 ? 'active' : 'canary';
    case 'active':
      return !listed || failing ? 'demoted' : 'active';
  }
}

/** What a person may say of it: only of a candidate, and once. */
export function decided(state: LearntState, word: 'approved' | 'rejected'): LearntState | null {
  return state === 'candidate' ? word : null;
}
