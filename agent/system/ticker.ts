// The pulse of the daemon. node-cron says when the next second begins; the waiting is done on the monotonic clock.
import { createTask } from 'node-cron';
import type { Ticker } from './ports.ts';

const EVERY_SECOND = '* * * * * *';
/**
 * node-cron's own scheduler counts every missed second after a forward step of the wall clock (three years: minutes
 * without an event loop) and sleeps through a backward step. Asking it only for the next match, and never waiting
 * longer than this, survives both.
 */
const MAX_WAIT_MS = 1_000;
const MIN_WAIT_MS = 1;

/** `onTick` must not throw; what it throws surfaces as an uncaught exception of the process. */
export const systemTicker: Ticker = {
  start(onTick) {
    const task = createTask(EVERY_SECOND, () => undefined);
    let timer: NodeJS.Timeout | undefined;
    const wait = (): void => {
      const untilNext = (task.getNextRuns(1)[0]?.getTime() ?? 0) - Date.now();
      timer = setTimeout(beat, Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, untilNext)));
    };
    const beat = (): void => {
      wait();
      onTick();
    };
    wait();
    return () => {
      clearTimeout(timer);
      void task.destroy();
    };
  },
};
