// Runs one phase of a runbook on one target and reads what it printed. Nothing that a target does throws here.
import { isAgentError } from '../errors/agent-error.ts';
import { CODES, type ErrorCode } from '../errors/codes.ts';
import type { RunbookParams } from '../checks/windows/windows-check.ts';
import type { PlainJson } from '../wire/schemas/primitives.ts';
import type { UnseenReason } from '../wire/unseen-reasons.ts';
import type { LoadedRunbook } from './load-runbook.ts';
import { errorRecords, ONLY_LOOKS, readActions, readFacts, type Actions, type Reading } from './read-output.ts';
import type { WindowsRunbook, ScriptFile } from './runbook.ts';
import type { Phase, RunOutput, ScriptInput, TargetSession } from './runner.ts';

const SCRIPT_OF: Readonly<Record<Phase, ScriptFile>> = {
  detect: 'detect.ps1',
  plan: 'remediate.ps1',
  remediate: 'remediate.ps1',
  confirm: 'remediate.ps1',
  verify: 'verify.ps1',
  rollback: 'rollback.ps1',
};

export interface PhaseRun {
  readonly loaded: LoadedRunbook & { readonly runbook: WindowsRunbook };
  readonly params: RunbookParams;
  readonly snapshot: Readonly<Record<string, PlainJson>> | null;
}

const UNAUTHORISED: ReadonlySet<string> = new Set([
  'winrm_logon_failed',
  'winrm_account_locked',
  'winrm_account_disabled',
  'winrm_password_expired',
  'winrm_access_denied',
  'winrm_ticket_refused',
  'winrm_auth_not_offered',
  'winrm_challenge_weak',
  'credential_stopped',
  'credential_waiting',
  'winrm_client_certificate_not_asked',
  'winrm_client_certificate_unmapped',
  'winrm_client_certificate_untrusted',
  'target_certificate_invalid',
  'target_certificate_purpose',
  'target_certificate_date',
]);

/** What an error of the connection means for the finding. */
export function reasonOf(code: ErrorCode): UnseenReason {
  if (code === 'runner_timeout') return 'timeout';
  if (UNAUTHORISED.has(code)) return 'unauthorised';
  if (code === 'target_identity_differs') return 'other_machine';
  if (code === 'target_identity_unknown') return 'identity_unread';
  return code.startsWith('winrm_kerberos') ? 'unauthorised' : 'unreachable';
}

/** What a phase runs over. */
type Over = Pick<TargetSession, 'run'>;

async function run(phase: Phase, o: PhaseRun, session: Over, signal: AbortSignal): Promise<RunOutput> {
  const { runbook, scripts } = o.loaded;
  const input: ScriptInput = { phase, params: o.params, snapshot: o.snapshot };
  return session.run(
    {
      script: scripts.get(SCRIPT_OF[phase]) ?? '',
      params: input,
      cpuMs: runbook.budget.cpu_s * 1_000,
      timeoutMs: runbook.timeout_s * 1_000,
      outputCapBytes: runbook.budget.output_kib * 1_024,
      rerunnable: ONLY_LOOKS.has(phase),
    },
    signal,
  );
}

async function read<T>(
  phase: Phase,
  o: PhaseRun,
  session: Over,
  signal: AbortSignal,
  as: (output: RunOutput, errors: number, budget: { cpuMs: number; outputBytes: number }) => Reading<T>,
): Promise<Reading<T>> {
  const { budget } = o.loaded.runbook;
  try {
    const output = await run(phase, o, session, signal);
    const limits = { cpuMs: budget.cpu_s * 1_000, outputBytes: budget.output_kib * 1_024 };
    return as(output, errorRecords(output.stderr), limits);
  } catch (error) {
    signal.throwIfAborted();
    if (!isAgentError(error) || error.code === 'internal') throw error;
    // The message may repeat what a target said: evidence says what the code means.
    const sentence = CODES[error.code].when;
    return { read: false, reason: reasonOf(error.code), sentence, used: { cpuMs: null, bytes: 0 } };
  }
}

/** detect or verify: what is there. @throws the signal's reason; defects */
export function lookAt(
  phase: 'detect' | 'verify',
  o: PhaseRun,
  session: Over,
  signal: AbortSignal,
): Promise<Reading<Record<string, PlainJson>>> {
  return read(phase, o, session, signal, readFacts);
}

/** What a script would change, changed or undid. @throws the signal's reason; defects */
export function act(
  phase: 'plan' | 'remediate' | 'confirm' | 'rollback',
  o: PhaseRun,
  session: Over,
  signal: AbortSignal,
): Promise<Reading<Actions>> {
  return read(phase, o, session, signal, readActions);
}
