// The breaker of a site: several targets that need the same runbook within an hour are not drift but a change by somebody (a group
// policy, an update, a mistake of ours), and healing them one after the other would spread the damage.

/** Of one runbook. Persisted; survives restarts. */
export interface SiteBreaker {
  /** Who needed the runbook, the latest time of each. */
  readonly needs: readonly { readonly targetId: string; readonly at: number }[];
  /** T at which it opened; null while closed. Only people close it. */
  readonly openedAt: number | null;
}

export const SITE_BREAKER_CLOSED: SiteBreaker = { needs: [], openedAt: null };

const WINDOW_S = 3_600;
/** As many targets open it, however large the site is. */
const MOST_TARGETS = 2;
/** And so does a larger share of the site than this, in percent. */
const MOST_PERCENT = 49;

/**
 * `targetId` needs the runbook at `at` (T). `siteTargets`: how many targets the site has, this one included. A site's only
 * target is no share of it: else nothing there were ever healed.
 */
export function afterNeed(state: SiteBreaker, targetId: string, at: number, siteTargets: number): SiteBreaker {
  const id = targetId.trim().toLowerCase();
  // A need from a time ahead stays: signed time was set back, and that must not make room.
  const others = state.needs.filter((need) => need.targetId !== id && at - need.at < WINDOW_S);
  const needs = [...others, { targetId: id, at }];
  const share = siteTargets > 1 && needs.length * 100 > MOST_PERCENT * siteTargets;
  const opens = needs.length >= MOST_TARGETS || share;
  return { needs, openedAt: state.openedAt ?? (opens ? at : null) };
}

/** People looked at it. What was needed before then does not count again. */
export function afterReset(): SiteBreaker {
  return SITE_BREAKER_CLOSED;
}
