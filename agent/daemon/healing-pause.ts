// Two switches that stop healing until a time: by an order (no second person needed), and by hand on the appliance. Lifting either
// early takes an order of two people.
import type { Store } from '../store/open-store.ts';

type Settings = Pick<Store, 'settings'>;

const BY_ORDER = 'healing_paused_until';
const BY_HAND = 'healing_paused_by_hand';
/** Seconds of a pause by hand that was asked for while there was no signed time to count it from. */
const BY_HAND_FOR = 'healing_paused_by_hand_for';

/** The end of a pause that has none: the last second that a signed document can name. */
export const UNTIL_LIFTED = 32_503_679_999;

const endOf = (store: Settings, key: string): number | null => {
  const value = store.settings.get(key);
  return value === null ? null : Number(value);
};

export const pausedByOrder = (store: Settings): number | null => endOf(store, BY_ORDER);
export const pausedByHand = (store: Settings): number | null => endOf(store, BY_HAND);

/** The later end of both. Unix seconds by signed time, or null where healing was never paused. */
export function healingPausedUntil(store: Settings): number | null {
  const ends = [pausedByOrder(store), pausedByHand(store)].filter((end) => end !== null);
  return ends.length === 0 ? null : Math.max(...ends);
}

/** Ends both pauses. Returns whether there was one. */
export function liftPause({ settings }: Settings): boolean {
  const was = [BY_ORDER, BY_HAND, BY_HAND_FOR].some((key) => settings.get(key) !== null);
  for (const key of [BY_ORDER, BY_HAND, BY_HAND_FOR]) settings.delete(key);
  return was;
}

const prolong = (store: Settings, key: string, until: number): number => {
  const inForce = Math.max(until, endOf(store, key) ?? 0);
  store.settings.set(key, String(inForce));
  return inForce;
};

/** By order. Never shortens a pause. Returns the time in force. */
export const pauseHealing = (store: Settings, until: number): number => prolong(store, BY_ORDER, until);

/** By hand. Never shortens a pause. Without signed time nothing is healed, and the pause begins when there is one. */
export function pauseByHand(store: Settings, forS: number, nowT: number | null): void {
  if (nowT === null) prolong(store, BY_HAND_FOR, forS);
  else prolong(store, BY_HAND, nowT + forS);
}

/** Begins a pause that was asked for without signed time. */
export function beginPauseByHand(store: Settings, nowT: number): void {
  const forS = endOf(store, BY_HAND_FOR);
  if (forS === null) return;
  prolong(store, BY_HAND, nowT + forS);
  store.settings.delete(BY_HAND_FOR);
}
