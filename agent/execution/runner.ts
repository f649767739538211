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

/**
 * Runs one script on one target. Nothing of a run outlives it on the target, whatever ends it.
 *
 * @throws {AgentError} where no answer came: `winrm_*` codes of the connection, `runner_timeout` after `timeoutMs`. What the
 *   script itself does is a {@link RunOutput}, whatever its exit code. Rejects with the signal's reason when that fires.
 */
export interface Runner {
  run(target: Target, run: ScriptRun, signal: AbortSignal): Promise<RunOutput>;
}
