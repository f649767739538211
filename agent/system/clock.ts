// The machine's clocks. The only place that reads them.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { Clock } from './ports.ts';

/** Longest delay of one timer; Node fires at once for anything beyond 2^31−1 ms. */
const MAX_TIMER_MS = 86_400_000;

let cachedBootId: string | undefined;

/**
 * Where /proc is restricted to processes (proc(5), `subset=pid`) nobody says which boot this is. A name that no other process has is
 * then the careful answer: time that was signed for another process counts as that of another boot.
 */
function readBootId(): string {
  if (cachedBootId !== undefined) return cachedBootId;
  try {
    cachedBootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().toLowerCase();
  } catch {
    cachedBootId = randomUUID();
  }
  return cachedBootId;
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    let left = Math.max(0, ms);
    let timer: NodeJS.Timeout;
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const step = (): void => {
      const part = Math.min(left, MAX_TIMER_MS);
      left -= part;
      timer = setTimeout(() => {
        if (left > 0) {
          step();
          return;
        }
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, part);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    step();
  });
}

/** `bootMs` is CLOCK_BOOTTIME as /proc/uptime shows it: 10 ms steps, runs on through suspend (proc(5)). */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monoMs: () => performance.now(),
  bootMs: () => Math.round(uptime() * 1000),
  bootId: readBootId,
  sleep,
};
