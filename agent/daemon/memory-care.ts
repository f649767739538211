// When the daemon gives memory back: once the work of the start is done, then every quarter of an hour, and only between two
// stages. Starting makes more garbage than days of rest.

/** The first checks, the first check-in and the first upload are over by then. */
const FIRST_AFTER_MS = 20_000;
/** 100 ms in 15 minutes are no load; garbage of rest grows by kilobytes a minute. */
const EVERY_MS = 900_000;
/** How often to look besides the end of each stage. */
export const MEMORY_LOOK_MS = 5_000;

export interface MemoryCare {
  /** Monotonic milliseconds. */
  readonly startedMs: number;
  /** Null before the first time. */
  readonly lastMs: number | null;
}

/** `busy` is asked only where it is due: at the end of every stage there is no time for more than two comparisons. Pure. */
export function givesBackMemory({ startedMs, lastMs }: MemoryCare, nowMs: number, busy: () => boolean): boolean {
  const isDue = lastMs === null ? nowMs - startedMs >= FIRST_AFTER_MS : nowMs - lastMs >= EVERY_MS;
  return isDue && !busy();
}
