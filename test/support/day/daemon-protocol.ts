// What a daemon on simulated time and whoever lets its time pass say to each other.

export interface DayClocks {
  /** Monotonic and boot clock at the start of this process. */
  readonly bootMs: number;
  readonly bootId: string;
  /** True time. */
  readonly wallMs: number;
  /** By how much this machine's wall clock is wrong. */
  readonly stepMs: number;
  /** Files that libfaketime shows as the wall clock: to this process, and to Central Command. */
  readonly ownWall: string;
  readonly centralWall: string;
}

export type ToDaemon =
  | { readonly kind: 'live'; readonly seconds: number }
  | { readonly kind: 'step'; readonly ms: number }
  | { readonly kind: 'stop' };

/** A tool that a probe ran to its end. */
export interface ToolRun {
  readonly tool: string;
  /** Unix seconds by the process's wall clock. */
  readonly at: number;
  readonly status: string;
  readonly code: number | null;
}

export interface FromDaemon {
  readonly kind: 'lived';
  readonly wallMs: number;
  readonly bootMs: number;
  /** Resident bytes of the process; null before it lived. */
  readonly rss: number | null;
  readonly runs: readonly ToolRun[];
}
