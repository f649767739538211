// Time that passes only when it is told to: whatever the program waits for with `setTimeout`, `setInterval` or `Clock.sleep` is due
// by it. Input and output are not simulated: Node's own modules keep their real timers. The wall clock is the process's own
// (libfaketime shows it a file), so that TLS, SQLite and the agent all see the same.
import { setTimeout as realTimeout } from 'node:timers/promises';
import type { Clock } from '../../../agent/system/ports.ts';

export interface SimulatedTime {
  readonly clock: Clock;
  /** Moves monotonic and boot clock, and runs what became due, in order. */
  advance(ms: number): Promise<void>;
  /**
   * Waits, in real time, until no `Clock.sleep` is waited for any more: in a daemon each running stage has one, its deadline. One
   * that is older than `graceMs` of real time is taken to hang, and is not waited for. @returns how many hang
   */
  settle(graceMs: number): Promise<number>;
}

interface Timer {
  dueMs: number;
  readonly everyMs: number | null;
  readonly delayMs: number;
  readonly fire: () => void;
}

/** Turns of the event loop without a pause: most work is over within them. */
const EAGER_TURNS = 200;
const PAUSE_MS = 1;

/** Replaces the process's global timers. @param boot what the boot clock shows at first, and the id of the boot */
export function installSimulatedTime(boot: { readonly ms: number; readonly id: string }): SimulatedTime {
  let nowMs = boot.ms;
  const timers = new Set<Timer>();
  const sleeps = new Set<{ readonly realMs: number }>();

  class Handle {
    readonly timer: Timer;
    constructor(timer: Timer) {
      this.timer = timer;
      timers.add(timer);
    }
    ref(): this {
      return this;
    }
    unref(): this {
      return this;
    }
    hasRef(): boolean {
      return true;
    }
    refresh(): this {
      this.timer.dueMs = nowMs + this.timer.delayMs;
      timers.add(this.timer);
      return this;
    }
    close(): this {
      timers.delete(this.timer);
      return this;
    }
  }
  const begin = (fn: (...args: unknown[]) => void, delay: number | undefined, args: unknown[], repeat: boolean) => {
    const delayMs = Math.max(1, delay ?? 1);
    return new Handle({
      dueMs: nowMs + delayMs,
      everyMs: repeat ? delayMs : null,
      delayMs,
      fire: () => fn(...args),
    });
  };
  const end = (handle: unknown): void => void (handle instanceof Handle && handle.close());
  Object.assign(globalThis, {
    setTimeout: (fn: () => void, ms?: number, ...args: unknown[]) => begin(fn, ms, args, false),
    setInterval: (fn: () => void, ms?: number, ...args: unknown[]) => begin(fn, ms, args, true),
    clearTimeout: end,
    clearInterval: end,
  });

  const sleep: Clock['sleep'] = (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const sleeping = { realMs: performance.now() };
      sleeps.add(sleeping);
      const handle = begin(
        () => {
          sleeps.delete(sleeping);
          resolve();
        },
        ms,
        [],
        false,
      );
      signal?.addEventListener(
        'abort',
        () => {
          handle.close();
          sleeps.delete(sleeping);
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });

  return {
    clock: {
      wallMs: () => Date.now(),
      monoMs: () => nowMs,
      bootMs: () => nowMs,
      bootId: () => boot.id,
      sleep,
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const [next] = [...timers].filter((one) => one.dueMs <= untilMs).toSorted((a, b) => a.dueMs - b.dueMs);
        if (next === undefined) break;
        nowMs = Math.max(nowMs, next.dueMs);
        if (next.everyMs === null) timers.delete(next);
        else next.dueMs = nowMs + next.everyMs;
        next.fire();
        await turn();
      }
      nowMs = untilMs;
    },
    async settle(graceMs) {
      for (let turns = 0; ; turns += 1) {
        const realMs = performance.now();
        const hanging = [...sleeps].filter((one) => realMs - one.realMs >= graceMs).length;
        if (hanging === sleeps.size) return hanging;
        await (turns < EAGER_TURNS ? turn() : realTimeout(PAUSE_MS));
      }
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
