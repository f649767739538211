// Room `execution`: loads, judges and runs runbooks, whoever asked for it. This file is the port between a runbook and the
// machine that it runs on; one contract suite holds every adapter against it (test/contract/).
import type { Target } from '../targets/target.ts';

export interface ScriptRun {
  /** Whole text of the script; it begins `param([string]$InputJson)`. */
  readonly script: string;
  /** What the script gets as `$InputJson`, as one JSON document (a {@link ScriptInput}). */
  readonly params: unknown;
  /** Until the answer must be there, connecting included. */
  readonly timeoutMs: number;
  /** Of processor time of the script's own process, what starting it took included. Beyond it the target ends it. */
  readonly cpuMs: number;
  /** Per stream. What is beyond is dropped, and `truncated` says so. */
  readonly outputCapBytes: number;
  /** True for what only reads: it may be started again after a connection was lost. Default false. */
  readonly rerunnable?: boolean;
}

/** `plan` and `confirm` run remediate.ps1: one changes nothing, the other takes away the self-revert of a change. */
export type Phase = 'detect' | 'plan' | 'remediate' | 'confirm' | 'verify' | 'rollback';

/** What a phase of a runbook is given. */
export interface ScriptInput {
  readonly phase: Phase;
  /** The runbook's typed params, defaults filled in. */
  readonly params: Readonly<Record<string, unknown>>;
  /** The facts that detect saw before anything was changed; null for `detect` and `verify`. */
  readonly snapshot: Readonly<Record<string, unknown>> | null;
}

export interface RunOutput {
  /** Null where the script was ended because of its output. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  /** May hold CLIXML with progress records; they are no errors. */
  readonly stderr: Buffer;
  /** True where a stream was longer than its cap. */
  readonly truncated: boolean;
}

/** One connection to a target and what is kept there for it, for scripts one after the other. */
export interface TargetSession {
  /**
   * Runs one script. Nothing of it outlives it on the target, whatever ends it. A connection that died is made anew: at once for
   * what is `rerunnable`, and for anything else where it cannot have begun.
   *
   * @throws {AgentError} where no answer came: `winrm_*` codes of the connection, `runner_timeout` after `timeoutMs`. What the
   *   script itself does is a {@link RunOutput}, whatever its exit code. Rejects with the signal's reason when that fires.
   */
  run(run: ScriptRun, signal: AbortSignal): Promise<RunOutput>;
  /** Takes away what is kept on the target and ends the connection. Never rejects; whoever opens a session closes it. */
  close(): Promise<void>;
}

/** Reaches targets. Two sessions share nothing: what one does to its connection, the other one does not notice. */
export interface Runner {
  /** Sends nothing and never throws. The target's secret must be there until the session is closed. */
  open(target: Target): TargetSession;
}
