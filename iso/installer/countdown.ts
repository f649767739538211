// Counts down before anything is erased; any key stops it.
import type { Clock } from '../../agent/system/ports.ts';

export const COUNTDOWN_S = 30;

/** The keyboard. Without one, no key ever comes. */
export interface Keys {
  /** The next key that is pressed from now on; rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<string>;
}

/**
 * Waits `seconds` by the monotonic clock and tells each one that is left, the first at once.
 * @returns whether nobody pressed a key
 */
export async function countDown(
  clock: Clock,
  keys: Keys,
  seconds: number,
  onSecond: (left: number) => void,
): Promise<boolean> {
  const over = new AbortController();
  const key = keys.next(over.signal).then(
    () => true,
    () => false,
  );
  try {
    const end = clock.monoMs() + seconds * 1_000;
    for (;;) {
      const leftMs = end - clock.monoMs();
      if (leftMs <= 0) return true;
      onSecond(Math.ceil(leftMs / 1_000));
      const isPressed = await Promise.race([key, clock.sleep(leftMs % 1_000 || 1_000, over.signal).then(() => false)]);
      if (isPressed) return false;
    }
  } finally {
    over.abort();
  }
}
