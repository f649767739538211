// How much room is left for evidence, and what is left out when it gets short: telemetry first, then heartbeats are thinned;
// what changed is always recorded. Pure.

/** `low`: digests and repeated scopes are left out. `critical`: heartbeats come less often too. */
export type Pressure = 'none' | 'low' | 'critical';

export interface StorageFacts {
  /** Of the file system under the state directory. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Lengths of the evidence lines that are kept, and what they may have. */
  readonly evidenceBytes: number;
  readonly capBytes: number;
}

/** Shares of the file system that are to stay free: below the first one it is low, below the second critical. */
export const FREE_LOW = 0.15;
const FREE_CRITICAL = 0.075;
/** Shares of the cap. */
const CAP_LOW = 0.9;
const CAP_CRITICAL = 1;
/** A level ends only this far on the other side, so that it does not come and go with every file. */
const HYSTERESIS = 0.02;

const LEVELS: readonly Pressure[] = ['none', 'low', 'critical'];

export const worse = (a: Pressure, b: Pressure): Pressure => (LEVELS.indexOf(a) > LEVELS.indexOf(b) ? a : b);

export interface StoragePressure {
  readonly disk: Pressure;
  readonly cap: Pressure;
}

export const NO_PRESSURE: StoragePressure = { disk: 'none', cap: 'none' };

/** The levels now, given those before. A file system without a size says nothing. */
export function pressureOf(facts: StorageFacts, before: StoragePressure): StoragePressure {
  const { freeBytes, totalBytes, evidenceBytes, capBytes } = facts;
  const taken = totalBytes > 0 ? 1 - freeBytes / totalBytes : 0;
  return {
    disk: levelOf(taken, 1 - FREE_LOW, 1 - FREE_CRITICAL, before.disk),
    cap: levelOf(evidenceBytes / capBytes, CAP_LOW, CAP_CRITICAL, before.cap),
  };
}

/** `taken` reaches a level where it is above its limit, and leaves it HYSTERESIS below. */
function levelOf(taken: number, low: number, critical: number, before: Pressure): Pressure {
  const over = (limit: number, held: boolean): boolean => taken > (held ? limit - HYSTERESIS : limit);
  if (over(critical, before === 'critical')) return 'critical';
  return over(low, before !== 'none') ? 'low' : 'none';
}

/** Heartbeats come so much less often under critical pressure. */
export const THINNED = 6;

/** Where ballast may be made again: with it, the disk is not low. */
export const hasRoomFor = (bytes: number, { freeBytes, totalBytes }: StorageFacts): boolean =>
  freeBytes - bytes > (FREE_LOW + HYSTERESIS) * totalBytes;

const BALLAST_SHARE = 0.05;
const MAX_BALLAST_BYTES = 16 * 1_024 * 1_024;

/** Length of the file that is given up when the disk is full: some 5,000 entries on any disk of 320 MiB and more. */
export const ballastBytes = (totalBytes: number): number =>
  Math.min(MAX_BALLAST_BYTES, Math.floor(totalBytes * BALLAST_SHARE));
