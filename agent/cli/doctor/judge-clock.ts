// Can the clock be right? Pure. A clock cannot prove itself: it is held against NTP, against Central Command's signed time
// of this boot, and against the day on which the trust root was signed.
import type { ClockFacts } from '../../facts/clock.ts';
import type { Fact } from '../../facts/probe.ts';
import { notLookedAt, ok, problem, type Verdict } from './verdict.ts';

export interface ClockInputs {
  readonly fact: Fact<ClockFacts>;
  /** This machine's wall clock, Unix seconds. */
  readonly now: number;
  /** Wall clock minus signed time, milliseconds; null without a signed time in this boot. */
  readonly skewMs: number | null;
  /** When the trust root of this appliance was signed, Unix seconds. */
  readonly rootIssuedAt: number | null;
  /** `ntp_max_skew_ms` of the configuration. */
  readonly maxSkewMs: number;
}

const MEANING =
  'certificates seem expired or not yet valid, orders and windows are judged by signed time only, disruptive work stops';
const REMEDY =
  'let NTP (UDP port 123) through to a time server, or set the clock: `timedatectl set-time`; an old mainboard battery forgets it';

const utc = (seconds: number): string => new Date(seconds * 1_000).toISOString().slice(0, 16).replace('T', ' ');

export function judgeClock({ fact, now, skewMs, rootIssuedAt, maxSkewMs }: ClockInputs): Verdict {
  const wrong = (sentence: string): Verdict =>
    problem({ code: 'clock_far_off', sentence, meaning: MEANING, remedy: REMEDY }, { breaks: false });
  if (rootIssuedAt !== null && now < rootIssuedAt) {
    return wrong(
      `the clock says ${utc(now)} UTC, before this appliance's trust root was signed (${utc(rootIssuedAt)})`,
    );
  }
  if (skewMs !== null && Math.abs(skewMs) > maxSkewMs) {
    return wrong(
      `the clock is ${Math.round(Math.abs(skewMs) / 1_000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} Central Command's signed time`,
    );
  }
  const ntp = fact.status === 'read' ? fact.value : null;
  if (ntp?.offsetMs !== undefined && ntp.offsetMs !== null && Math.abs(ntp.offsetMs) > maxSkewMs) {
    return wrong(`the clock is ${Math.round(ntp.offsetMs / 1_000)} s away from its time servers (${ntp.source})`);
  }
  const signed = skewMs === null ? null : `it is ${Math.abs(skewMs)} ms from the signed time`;
  if (ntp?.synchronized === true) return ok(`${ntp.source} keeps the clock${signed === null ? '' : `; ${signed}`}`);
  const unkept =
    ntp?.synchronized === false ? `${ntp.source} says that it is not synchronised` : 'no time service was found';
  if (signed !== null) return ok(`${signed}, although ${unkept}`);
  if (ntp?.synchronized === false) {
    return problem(
      {
        code: 'clock_unsynchronised',
        sentence: `nothing keeps the clock: ${unkept}; it says ${utc(now)} UTC`,
        meaning: 'it may be right and will not stay so; certificates and records depend on it',
        remedy: REMEDY,
      },
      { breaks: false },
    );
  }
  return notLookedAt(`${unkept} and there is no signed time in this boot; it says ${utc(now)} UTC`);
}
