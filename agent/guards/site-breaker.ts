// The breaker of a site: several targets that need the same runbook within an hour are not drift but a change by somebody (a group
// policy, an update, a mistake of ours), and healing them one after the other would spread the damage.

/** Of one runbook. Persisted; survives restarts. */
export interface SiteBreaker {
  /** Who needed the runbook, the latest time of each. */
  readonly needs: readonly { readonly targetId: string; readonly at: number }[];
  /** T at which it opened; null while closed. Only people close it. */
  readonly openedAt: number | null;
}

/** Also what people leave behind who looked at it: what was needed before then does not count again. */
export const SITE_BREAKER_CLOSED: SiteBreaker = { needs: [], openedAt: null };

const WINDOW_S = 3_600;
/** As many targets open it, however large or small the site is (docs/decisions/0028). */
const MOST_TARGETS = 2;

/** `targetId` needs the runbook at `at` (T). */
export function afterNeed(state: SiteBreaker, targetId: string, at: number): SiteBreaker {
  const id = targetId.trim().toLowerCase();
  // A need from a time ahead stays: signed time was set back, and that must not make room.
  const others = state.needs.filter((need) => need.targetId !== id && at - need.at < WINDOW_S);
  const needs = [...others, { targetId: id, at }];
  return { needs, openedAt: state.openedAt ?? (needs.length >= MOST_TARGETS ? at : null) };
}
