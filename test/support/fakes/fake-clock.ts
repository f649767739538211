// A clock that moves when the test says so.
import type { Clock } from '../../../agent/system/ports.ts';

export interface FakeClock extends Clock {
  /** Moves all clocks; wakes sleepers in order of their time. */
  advance(ms: number): Promise<void>;
  /** Steps the wall clock only, as NTP or a person does. */
  setWall(wallMs: number): void;
  /** A new boot: another id, boot and monotonic clocks near zero. */
  reboot(): void;
  /** How many sleepers wait. */
  readonly sleeping: number;
}

export function fakeClock(options: { readonly wallMs?: number; readonly bootMs?: number } = {}): FakeClock {
  let wall = options.wallMs ?? 1_780_000_000_000;
  let boot = options.bootMs ?? 100_000;
  let boots = 1;
  let sleepers: { readonly due: number; readonly wake: () => void }[] = [];
  return {
    wallMs: () => wall,
    monoMs: () => boot,
    bootMs: () => boot,
    bootId: () => `00000000-0000-4000-8000-${String(boots).padStart(12, '0')}`,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason);
        const sleeper = { due: boot + Math.max(0, ms), wake: resolve };
        sleepers.push(sleeper);
        signal?.addEventListener(
          'abort',
          () => {
            sleepers = sleepers.filter((s) => s !== sleeper);
            reject(signal.reason);
          },
          { once: true },
        );
      });
    },
    async advance(ms) {
      const until = boot + ms;
      for (;;) {
        const next = sleepers.filter((s) => s.due <= until).sort((a, b) => a.due - b.due)[0];
        const step = (next?.due ?? until) - boot;
        boot += step;
        wall += step;
        if (next === undefined) break;
        sleepers = sleepers.filter((s) => s !== next);
        next.wake();
        // Lets what was woken run (and perhaps sleep again) before time moves on.
        await new Promise(setImmediate);
      }
      await new Promise(setImmediate);
    },
    setWall(ms) {
      wall = ms;
    },
    reboot() {
      boots++;
      boot = 10;
    },
    get sleeping() {
      return sleepers.length;
    },
  };
}
