// The one switch that an order may throw without two people: no healing until a time. Lifting it early is disruptive.
import type { Store } from '../store/open-store.ts';

const KEY = 'healing_paused_until';

/** The end of a pause that has none: the last second that a signed document can name. */
export const UNTIL_LIFTED = 32_503_679_999;

/** Unix seconds by signed time, or null where healing was never paused. */
export function healingPausedUntil(store: Store): number | null {
  const value = store.settings.get(KEY);
  return value === null ? null : Number(value);
}

/** Ends a pause. Returns whether there was one. */
export function liftPause(store: Store): boolean {
  const was = healingPausedUntil(store) !== null;
  store.settings.delete(KEY);
  return was;
}

/** Never shortens a pause. Returns the time in force. */
export function pauseHealing(store: Store, until: number): number {
  const inForce = Math.max(until, healingPausedUntil(store) ?? 0);
  store.settings.set(KEY, String(inForce));
  return inForce;
}
