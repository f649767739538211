// Ports to the surroundings: time, processes, files, ids, the service manager, the log. Built in main.ts only; each is a
// small plain object with one contract suite on the real one and the fake (test/contract/).

/** Wall clock for records, monotonic for durations, boot clock for signed time (it runs on through suspend). */
export interface Clock {
  /** Wall clock, Unix milliseconds. May jump. */
  wallMs(): number;
  /** Monotonic milliseconds since an arbitrary start; stops in suspend. */
  monoMs(): number;
  /** Milliseconds since boot, suspend included (CLOCK_BOOTTIME). */
  bootMs(): number;
  /** The kernel's id of this boot, a lower-case UUID. */
  bootId(): string;
  /** Resolves after `ms` on the monotonic clock; rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Ids {
  /** UUIDv7 (RFC 9562), lower case, rising within one process. */
  uuidv7(): string;
  randomBytes(length: number): Buffer;
  /** Uniform in [0, 1). For jitter, never for secrets. */
  random(): number;
}

export interface ExecOptions {
  readonly deadlineMs: number;
  /** Per stream; what is beyond is dropped and the process is killed. */
  readonly maxOutputBytes?: number;
  readonly stdin?: string | Buffer;
  /** Added to a minimal environment (PATH, LC_ALL=C). */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
}

/** A failure has the same shape as a success plus its kind. Never throws for what the process does. */
export interface ExecResult {
  readonly status: 'exited' | 'not_found' | 'denied' | 'timeout' | 'too_much_output' | 'aborted' | 'signalled';
  /** Exit code when `exited`, else null. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly durationMs: number;
}

/** Runs argv arrays, never a shell string; the whole process group dies at the deadline. */
export interface Exec {
  run(argv: readonly [string, ...string[]], options: ExecOptions): Promise<ExecResult>;
}

export interface Notify {
  ready(): void;
  /** One watchdog ping; a no-op outside systemd. */
  watchdog(): void;
  status(text: string): void;
  stopping(): void;
  /** Interval in which systemd wants a ping, or null. */
  readonly watchdogMs: number | null;
}

export interface Ticker {
  /** Calls `onTick` about once a second until the returned function is called. Ticks never overlap themselves. */
  start(onTick: () => void): () => void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Constant lower-case phrase, then fields (docs in style: run_id, stage, target on child loggers). */
export interface Log {
  debug(phrase: string, fields?: LogFields): void;
  info(phrase: string, fields?: LogFields): void;
  warn(phrase: string, fields?: LogFields): void;
  error(phrase: string, fields?: LogFields): void;
  child(fields: LogFields): Log;
  setLevel(level: 'debug' | 'info' | 'warn' | 'error'): void;
}
