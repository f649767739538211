// Time that leaps from one moment at which something is due to the next: a month passes in a minute, and nothing that is waited for is
// missed. Whoever waits with `setTimeout`, `setInterval` or `Clock.sleep` is woken by it; input and output are real. An interval that
// was missed several times comes once, as after a sleep of the machine.
import { channel } from 'node:diagnostics_channel';
import { setTimeout as realTimeout } from 'node:timers/promises';
import type { Clock } from '../../../agent/system/ports.ts';

export interface LeapingTime {
  readonly clock: Clock;
  /** Work outside the process that time waits for, from its begin to its end. */
  readonly outside: <T>(work: Promise<T>) => Promise<T>;
  /** Calls `tick`, then waits until nothing moves any more. In a cycle each stage that it starts begins a sleep at once, its deadline. */
  beat(tick: () => void): Promise<void>;
  /** Moves to `toMs`, stopping wherever somebody is to be woken; `moved` is told of each moment. */
  leap(toMs: number, moved: (nowMs: number) => void): Promise<void>;
}

interface Timer {
  dueMs: number;
  readonly everyMs: number | null;
  readonly delayMs: number;
  readonly fire: () => void;
}

interface Sleep {
  /** Begun by a beat: how long a stage may take, and nothing that it waits for. */
  readonly isDeadline: boolean;
}

/** Turns of the event loop in which nothing happened. */
const QUIET_TURNS = 4;
/** Something runs and waits neither for time nor for anything outside: for a lock that somebody holds who waits for time. */
const HELD_UP_MS = 40;
/** What is outside for longer hangs. */
const HANGS_MS = 10_000;

/** Replaces the process's global timers. @param boot what the boot clock shows at first, and the id of the boot */
export function installLeapingTime(boot: { readonly ms: number; readonly id: string }): LeapingTime {
  let nowMs = boot.ms;
  const timers = new Set<Timer>();
  const sleeps = new Set<Sleep>();
  let away = 0;
  /** Counts whatever happened, so that quiet can be seen. */
  let moves = 0;
  let isBeat = false;
  const outside = async <T>(work: Promise<T>): Promise<T> => {
    away += 1;
    moves += 1;
    try {
      return await work;
    } finally {
      away -= 1;
      moves += 1;
    }
  };

  class Handle {
    readonly timer: Timer;
    constructor(timer: Timer) {
      this.timer = timer;
      timers.add(timer);
      moves += 1;
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
    return new Handle({ dueMs: nowMs + delayMs, everyMs: repeat ? delayMs : null, delayMs, fire: () => fn(...args) });
  };
  const end = (handle: unknown): void => void (handle instanceof Handle && handle.close());
  Object.assign(globalThis, {
    setTimeout: (fn: () => void, ms?: number, ...args: unknown[]) => begin(fn, ms, args, false),
    setInterval: (fn: () => void, ms?: number, ...args: unknown[]) => begin(fn, ms, args, true),
    clearTimeout: end,
    clearInterval: end,
  });

  // Requests of the daemon's own client are seen by what undici tells of them.
  const open = new Set<unknown>();
  const heard = (name: string, fn: (request: unknown) => void): void =>
    channel(name).subscribe((message) => {
      fn((message as { request: unknown }).request);
      moves += 1;
    });
  heard('undici:request:create', (request) => open.add(request));
  heard('undici:request:trailers', (request) => open.delete(request));
  heard('undici:request:error', (request) => open.delete(request));

  // And what is computed beside the event loop.
  const subtle = Object.getPrototypeOf(crypto.subtle) as Record<string, (...args: unknown[]) => Promise<unknown>>;
  for (const name of [
    'encrypt',
    'decrypt',
    'sign',
    'verify',
    'digest',
    'generateKey',
    'deriveBits',
    'deriveKey',
    'importKey',
    'exportKey',
  ]) {
    const real = subtle[name];
    if (real === undefined) continue;
    subtle[name] = function (...args) {
      return outside(real.apply(this, args));
    };
  }

  const sleep: Clock['sleep'] = (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const sleeping: Sleep = { isDeadline: isBeat };
      sleeps.add(sleeping);
      const over = (): void => {
        sleeps.delete(sleeping);
        moves += 1;
      };
      const handle = begin(
        () => {
          over();
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
          over();
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });

  /** Until everything that runs waits for time. */
  async function quiet(): Promise<void> {
    let seen = moves;
    let turns = 0;
    let sinceMs = performance.now();
    for (;;) {
      await turn();
      if (moves !== seen) [seen, turns, sinceMs] = [moves, 0, performance.now()];
      else turns += 1;
      if (turns < QUIET_TURNS) continue;
      const [running, waiting] = [count(true), count(false)];
      const outside = away + open.size;
      if (outside === 0 && running <= waiting) return;
      const limitMs = outside === 0 ? HELD_UP_MS : HANGS_MS;
      if (performance.now() - sinceMs > limitMs) return;
      // What is outside answers by an event of its own; nothing is gained by asking all the time.
      if (turns > QUIET_TURNS * 8) await realTimeout(1);
    }
  }
  const count = (isDeadline: boolean): number => [...sleeps].filter((one) => one.isDeadline === isDeadline).length;

  return {
    clock: { wallMs: () => Date.now(), monoMs: () => nowMs, bootMs: () => nowMs, bootId: () => boot.id, sleep },
    outside,
    async beat(tick) {
      isBeat = true;
      try {
        tick();
      } finally {
        isBeat = false;
      }
      await quiet();
    },
    async leap(toMs, moved) {
      for (;;) {
        const due = [...timers].filter((one) => one.everyMs === null && one.dueMs <= toMs);
        const next = due.length === 0 ? null : Math.min(...due.map((one) => one.dueMs));
        nowMs = Math.max(nowMs, next ?? toMs);
        moved(nowMs);
        if (next === null) break;
        for (const one of due) {
          if (one.dueMs > nowMs || !timers.has(one)) continue;
          timers.delete(one);
          one.fire();
        }
        await quiet();
      }
      for (const one of [...timers]) {
        if (one.everyMs === null || one.dueMs > nowMs) continue;
        one.dueMs = nowMs + one.everyMs;
        one.fire();
      }
      await quiet();
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
