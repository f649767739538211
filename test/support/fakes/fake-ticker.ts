// A pulse that beats when the test says so.
import type { Ticker } from '../../../agent/system/ports.ts';

export interface FakeTicker extends Ticker {
  tick(): void;
  /** How many have started and not stopped. */
  readonly running: number;
}

export function fakeTicker(): FakeTicker {
  const started = new Set<{ readonly onTick: () => void }>();
  return {
    start(onTick) {
      const entry = { onTick };
      started.add(entry);
      return () => void started.delete(entry);
    },
    tick() {
      for (const entry of [...started]) entry.onTick();
    },
    get running() {
      return started.size;
    },
  };
}
