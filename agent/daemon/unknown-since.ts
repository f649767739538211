// How long checks have been unknown. A day without knowing is worth an alert: silence must not count as success. Pure.
import type { Finding } from '../wire/schemas/finding.ts';

/** From here on it is an alert (design: `unknown` older than 24 h). */
export const UNKNOWN_ALERT_S = 86_400;

/** Target and check (`appliance/disk`) → Unix seconds of the first finding in a row that was unknown. */
export type UnknownSince = Readonly<Record<string, number>>;

/** The state after `findings`, which may be of some checks only. A time ahead of `now` (the clock stepped back) begins anew. */
export function noteUnknown(since: UnknownSince, findings: readonly Finding[], now: number): UnknownSince {
  const next: Record<string, number> = { ...since };
  for (const finding of findings) {
    const key = `${finding.target.id}/${finding.check.id}`;
    if (finding.result !== 'unknown') delete next[key];
    else next[key] = Math.min(next[key] ?? now, now);
  }
  return next;
}

/** Those that have been unknown for too long, longest first. */
export function unknownTooLong(since: UnknownSince, now: number): { readonly key: string; readonly forS: number }[] {
  return Object.entries(since)
    .map(([key, from]) => ({ key, forS: now - from }))
    .filter(({ forS }) => forS >= UNKNOWN_ALERT_S)
    .toSorted((a, b) => b.forS - a.forS || (a.key < b.key ? -1 : 1));
}
