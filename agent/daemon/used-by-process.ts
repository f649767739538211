// What this process used so far, and the differences of it: a stage is blamed for what was used while it ran.

export interface Used {
  /** User and system time, milliseconds. */
  readonly cpuMs: number;
  /** Resident memory; as a difference it may be negative. */
  readonly bytes: number;
}

export const NOTHING_USED: Used = { cpuMs: 0, bytes: 0 };

/** Two short reads of the kernel. */
export function usedByProcess(): Used {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1_000, bytes: process.memoryUsage.rss() };
}

export const since = (before: Used, now: Used): Used => ({
  cpuMs: now.cpuMs - before.cpuMs,
  bytes: now.bytes - before.bytes,
});

export const plus = (a: Used, b: Used): Used => ({ cpuMs: a.cpuMs + b.cpuMs, bytes: a.bytes + b.bytes });
