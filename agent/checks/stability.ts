// Does a service stay up, or does systemd have to start it again and again? Pure.
import * as v from 'valibot';
import type { Restarts } from '../facts/systemd-unit.ts';
import { int } from '../wire/schemas/primitives.ts';

/** In a baseline: a service that systemd started again `restarts` times, and last within `minutes`, is flapping. */
export const stabilityBaseline = v.strictObject({ restarts: int(1, 1_000), minutes: int(1, 1_440) });
export type StabilityBaseline = v.InferOutput<typeof stabilityBaseline>;

export type Stability = 'steady' | 'flapping' | 'not_known' | 'not_expected';

const MINUTE_S = 60;

/** One that systemd gave up is flapping for as long as nobody starts it. `now`: Unix seconds. */
export function stabilityOf(
  read: Restarts | null,
  isActive: boolean,
  declared: StabilityBaseline | undefined,
  now: number,
): Stability {
  if (declared === undefined) return 'not_expected';
  if (read === null) return 'not_known';
  if (read.count < declared.restarts) return 'steady';
  return !isActive || now - read.startedAt <= declared.minutes * MINUTE_S ? 'flapping' : 'steady';
}
