// Facts: what was read from a system, typed, with the time it was read; nothing here judges. A probe that cannot read
// says why as a fact of its own, and never throws.
import type { Clock, Exec, ExecResult } from '../system/ports.ts';
import type { Watch } from './watch.ts';

export const UNREADABLE_REASONS = [
  'missing_tool',
  'denied',
  'timeout',
  'too_much_output',
  'unparsable',
  'stale',
  'untrusted',
  'not_declared',
  'failed',
] as const;
export type UnreadableReason = (typeof UNREADABLE_REASONS)[number];

/** `readAt` is Unix seconds of the wall clock. `detail` is for people on this machine: it never goes into evidence. */
export type Fact<T> =
  | { readonly status: 'read'; readonly probe: string; readonly value: T; readonly readAt: number }
  | {
      readonly status: 'unreadable';
      readonly probe: string;
      readonly reason: UnreadableReason;
      readonly detail: string;
      readonly readAt: number;
    };

/** Facts that root's oneshots left as files (root-facts.ts). */
export interface RootFacts {
  readonly dir: string;
  /** The agent that reads: another version may have meant something else by the same words. */
  readonly agentVersion: string;
}

/** What probes read from, and what only the running daemon knows. */
export interface ProbeContext {
  readonly exec: Exec;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly stateDir: string;
  /** The agent's own secret files. */
  readonly keyFiles: readonly string[];
  /** The process that `self` looks at: the daemon. */
  readonly pid: number;
  /** Deadline of each probe. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** Wall clock minus time T; null or absent without a signed time in this boot. */
  readonly skewMs?: number | null;
  /** What `PRAGMA quick_check` said: `ok` or its complaint; null or absent where nobody asked. */
  readonly databaseCheck?: string | null;
  /** Life of the certificate towards Central Command, Unix seconds; null before enrolment, absent where nobody asked. */
  readonly certificate?: { readonly notBefore: number; readonly notAfter: number } | null;
  /** Facts that root left for this process; absent where only what can be read here counts. */
  readonly rootFacts?: RootFacts;
  /** What is read is handed to an agent that adds its own part ({@link Probe.own}). */
  readonly handsOver?: true;
  /** Where the baseline says that probes have to look. */
  readonly watch?: Watch;
  /** Recorded systems bring their own. */
  readonly procDir?: string;
  readonly runDir?: string;
  /** Where `/` of the judged system is. */
  readonly rootDir?: string;
  readonly sysDir?: string;
  readonly devDir?: string;
  /** Where jobs put what they remove again; `/var/tmp` by default. */
  readonly tmpDir?: string;
}

/** Reads one thing. Rejecting is allowed: {@link readFacts} turns it into an unreadable fact. */
export interface Probe<T> {
  readonly name: string;
  /** It needs root: a root oneshot reads it so often (seconds), for agents that may not. */
  readonly asRoot?: { readonly everyS: number };
  read(context: ProbeContext): Promise<T>;
  /** Adds what lies with the agent itself, whoever read the rest. Throws as {@link Probe.read} rejects. */
  own?(value: T, context: ProbeContext): T;
}

/** How a probe says that it could not read. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
  readonly reason: UnreadableReason;

  constructor(reason: UnreadableReason, detail: string, cause?: unknown) {
    super(detail, { cause });
    this.reason = reason;
  }
}

/** The deadline of one probe; the agent gives each of them this long, in parallel. */
export const PROBE_DEADLINE_MS = 10_000;
/** Output of one tool: the largest ruleset that was met had 1 MB. */
export const PROBE_MAX_OUTPUT_BYTES = 8 * 1024 * 1024;

const REASON_OF_STATUS: Readonly<Record<Exclude<ExecResult['status'], 'exited'>, UnreadableReason>> = {
  not_found: 'missing_tool',
  denied: 'denied',
  timeout: 'timeout',
  too_much_output: 'too_much_output',
  aborted: 'timeout',
  signalled: 'failed',
};

/** How a tool that did not exit by itself is said to be unreadable. */
export function unreadableResult(tool: string, result: Pick<ExecResult, 'status'>): Unreadable {
  const reason = result.status === 'exited' ? 'failed' : REASON_OF_STATUS[result.status];
  return new Unreadable(reason, `${tool}: ${result.status.replaceAll('_', ' ')}`);
}

/** First line of what a tool complained about, short enough for a detail. */
function firstLine(output: Buffer): string {
  return output.subarray(0, 400).toString('utf8').trim().split('\n')[0] ?? '';
}

/** Runs one tool of a probe. Anything but exit code 0 is {@link Unreadable}. */
export async function runTool(
  context: ProbeContext,
  argv: readonly [string, ...string[]],
  options: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Buffer> {
  const result = await context.exec.run(argv, {
    deadlineMs: context.deadlineMs,
    maxOutputBytes: PROBE_MAX_OUTPUT_BYTES,
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(context.signal === undefined ? {} : { signal: context.signal }),
  });
  const tool = argv[0];
  if (result.status !== 'exited') throw unreadableResult(tool, result);
  if (result.code === 0) return result.stdout;
  const complaint = firstLine(result.stderr);
  // The tools that probes run spell EPERM and EACCES the same way, as LC_ALL=C is set for them.
  const reason = /operation not permitted|permission denied|must be root/i.test(complaint) ? 'denied' : 'failed';
  throw new Unreadable(reason, `${tool} ended with code ${result.code}: ${complaint}`);
}
