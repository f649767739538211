// Whether a system that was switched to may stay: by facts of this machine alone. A Central Command that cannot be reached is no
// reason to go back, since it may be down itself. Pure.

/** What one look saw. */
export interface HealthLook {
  /** Milliseconds on the monotonic clock. */
  readonly at: number;
  /** Where /run/current-system points. */
  readonly running: string | null;
  /** The daemon's unit: systemd calls a unit of type notify active once it said READY. */
  readonly unit: { readonly isActive: boolean; readonly pid: number };
  /** What the daemon wrote into its status file; null where it wrote none. */
  readonly agent: { readonly version: string; readonly pid: number } | null;
  /** The egress table is in the packet filter; null where the system has none. */
  readonly egress: boolean | null;
  /** Milliseconds by which the wall clock was moved since before the switch. */
  readonly clockMovedMs: number;
  /** The kernel called the clock synchronised before the switch, and does not any more. */
  readonly syncLost: boolean;
  /** Bytes that can still be written, on the volume with the fewest. */
  readonly freeBytes: number;
}

export interface Expected {
  readonly closure: string;
  readonly agentVersion: string;
}

/** Facts behind the code `update_reverted`. */
export type Unhealthy =
  | 'other_system'
  | 'agent_not_ready'
  | 'agent_other_version'
  | 'egress_missing'
  | 'clock_moved'
  | 'clock_unsynchronised'
  | 'disk_full';

/** The clock may be moved by what the time service does at its start. */
export const CLOCK_MOVED_MS = 5_000;
/** What the next start and a day of evidence take, generously. */
export const LEAST_FREE_BYTES = 128 * 1024 * 1024;

/** The first reason against it; null where one look finds nothing. */
export function unhealthy(look: HealthLook, expected: Expected): Unhealthy | null {
  if (look.running !== expected.closure) return 'other_system';
  const { unit, agent } = look;
  if (!unit.isActive || unit.pid === 0 || agent === null || agent.pid !== unit.pid) return 'agent_not_ready';
  if (agent.version !== expected.agentVersion) return 'agent_other_version';
  if (look.egress === false) return 'egress_missing';
  if (Math.abs(look.clockMovedMs) > CLOCK_MOVED_MS) return 'clock_moved';
  if (look.syncLost) return 'clock_unsynchronised';
  return look.freeBytes < LEAST_FREE_BYTES ? 'disk_full' : null;
}

/** What a row of looks says so far. */
export type Gate =
  | { readonly gate: 'passed' }
  | { readonly gate: 'failed'; readonly why: Unhealthy | 'agent_crashed' }
  | { readonly gate: 'waiting'; readonly why: Unhealthy | null };

/**
 * The new system passes once every look for `stableMs` was good, and fails when `withinMs` from `from` are over, or when the process
 * that had been healthy is gone: an agent that ends after it was ready would do so again.
 *
 * @param looks oldest first
 */
export function judgeLooks(
  looks: readonly HealthLook[],
  expected: Expected,
  o: { readonly from: number; readonly withinMs: number; readonly stableMs: number },
): Gate {
  let goodSince: number | null = null;
  let pid: number | null = null;
  let why: Unhealthy | null = null;
  for (const look of looks) {
    why = unhealthy(look, expected);
    const isGone = pid !== null && look.unit.pid !== pid;
    if (isGone) return { gate: 'failed', why: 'agent_crashed' };
    if (why === null) {
      pid = look.unit.pid;
      goodSince ??= look.at;
      if (look.at - goodSince >= o.stableMs) return { gate: 'passed' };
    } else goodSince = null;
  }
  const last = looks.at(-1);
  if (last !== undefined && last.at - o.from >= o.withinMs) {
    return { gate: 'failed', why: why ?? 'agent_not_ready' };
  }
  return { gate: 'waiting', why };
}
