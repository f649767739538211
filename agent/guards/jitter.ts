// Spreads what would otherwise beat in time: hundreds of appliances behind one Central Command.

/** Largest deviation from the interval, as a share of it. */
export const JITTER = 0.1;

/**
 * The interval with a uniform deviation of at most 10 % either way, in whole milliseconds.
 *
 * @param random uniform in [0, 1)
 */
export function jittered(intervalMs: number, random: number): number {
  return Math.round(intervalMs * (1 - JITTER + 2 * JITTER * random));
}
