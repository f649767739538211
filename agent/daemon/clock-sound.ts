// Is the clock good enough for disruptive work? Pure.
import type { Finding } from '../wire/schemas/finding.ts';

/**
 * True where the last `clock` finding passed, and the distance from the time servers, where they told one, is at most
 * `ntp_max_skew_ms`: the baseline may be more lenient than the site's configuration.
 */
export function clockSound(finding: Pick<Finding, 'result' | 'facts'> | undefined, maxSkewMs: number): boolean {
  if (finding?.result !== 'pass') return false;
  const offset = finding.facts['offset_ms'];
  return typeof offset !== 'number' || Math.abs(offset) <= maxSkewMs;
}
