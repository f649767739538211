// Time T: what Central Command's last verified answer said, carried on by the boot clock. The wall clock plays no part.

/** A signed time and the reading of the boot clock at which it was taken. */
export interface SignedTime {
  /** Unix seconds. */
  readonly serverTime: number;
  /** Milliseconds since boot (CLOCK_BOOTTIME) when the request left, so that T is never behind. */
  readonly bootMs: number;
  readonly bootId: string;
}

/**
 * How far a newer answer may seem to lie behind the old one without a finding: an answer is taken up to 60 s after its
 * request, so two answers may differ by that much in their delay.
 */
export const TIME_BACK_TOLERANCE_S = 60;

/**
 * T at a reading of the boot clock: Unix seconds, rounded down. Null without a signed time of this boot, and where the boot
 * clock itself went back (a restored snapshot): then nothing is known.
 */
export function timeT(time: SignedTime | null, bootMs: number, bootId: string): number | null {
  if (time === null || time.bootId !== bootId || bootMs < time.bootMs) return null;
  return time.serverTime + Math.floor((bootMs - time.bootMs) / 1000);
}

/**
 * Takes the time of a newer verified answer. `wentBack`: the answer is more than 60 s behind what the old one leads to
 * (within a boot) or said (across boots); then only orders of class `read` are taken in this cycle.
 */
export function nextSignedTime(old: SignedTime | null, next: SignedTime): { time: SignedTime; wentBack: boolean } {
  if (old === null) return { time: next, wentBack: false };
  const expected = timeT(old, next.bootMs, next.bootId) ?? old.serverTime;
  return { time: next, wentBack: next.serverTime < expected - TIME_BACK_TOLERANCE_S };
}
