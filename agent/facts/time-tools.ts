// Reads what chrony and systemd say about the clock. Pure.

export interface NtpState {
  readonly synchronized: boolean;
  /** Wall clock minus true time as the tool estimates it; null where it does not say. Positive: our clock is ahead. */
  readonly offsetMs: number | null;
  readonly stratum: number | null;
}

const LEAP_STATUSES = new Set(['Normal', 'Insert second', 'Delete second', 'Not synchronised']);
/** `chronyc -c tracking`: reference id, name, stratum, reference time, system time offset, …, update interval, leap status. */
const TRACKING_FIELDS = 14;
const [STRATUM, SYSTEM_TIME, LEAP] = [2, 4, 13];
/** Plain decimals of at most ten digits before the point: 300 years. */
const SECONDS = /^-?\d{1,10}\.\d{1,12}$/;

/** Null where the text is not what chronyc(1) prints. Its offset is positive when the clock is slow; ours is the other way. */
export function parseChronyTracking(text: string): NtpState | null {
  const fields = text.trim().split(',');
  const [stratumText = '', offsetText = '', leap = ''] = [fields[STRATUM], fields[SYSTEM_TIME], fields[LEAP]];
  if (fields.length !== TRACKING_FIELDS || !LEAP_STATUSES.has(leap)) return null;
  if (!/^\d{1,2}$/.test(stratumText) || !SECONDS.test(offsetText)) return null;
  const [stratum, offset] = [Number(stratumText), Number(offsetText)];
  const synchronized = leap !== 'Not synchronised' && stratum > 0;
  return {
    synchronized,
    offsetMs: synchronized ? Math.round(-offset * 1000) || 0 : null,
    stratum: synchronized ? stratum : null,
  };
}

/** `timedatectl show`: lines of Key=value (org.freedesktop.timedate1(5)). Null where the key is not there. */
export function parseTimedatectl(text: string): NtpState | null {
  const match = /^NTPSynchronized=(yes|no)$/m.exec(text);
  return match === null ? null : { synchronized: match[1] === 'yes', offsetMs: null, stratum: null };
}
