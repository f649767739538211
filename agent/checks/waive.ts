// Waivers: known deviations that somebody accepted for a while. The check still runs; only its fail reads differently.
import type { EntryTarget } from '../wire/schemas/entry.ts';
import type { Waiver } from '../wire/schemas/site-policy.ts';

/** As the policy's own rule says; a longer one is not honoured. */
const MAX_WAIVER_S = 90 * 86_400;

/** The waiver for this check on this target at `now` (Unix seconds): of several the one that lasts longest. */
export function waiverFor(
  waivers: readonly Waiver[],
  checkId: string,
  target: EntryTarget,
  now: number,
): Waiver | null {
  const fitting = waivers.filter(
    (w) =>
      w.check === checkId &&
      (w.target === target.id || (w.target === 'appliance' && target.role === 'appliance')) &&
      w.issued_at <= now &&
      now < w.expires_at &&
      w.expires_at - w.issued_at <= MAX_WAIVER_S,
  );
  return fitting.sort((a, b) => b.expires_at - a.expires_at)[0] ?? null;
}
