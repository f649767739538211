// The runner on Windows machines: one WinRM session for each run, so that a verify comes over a connection of its own. The
// lock-out guard is asked before each logon and told how it ended.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { LockoutGuard } from '../targets/lockout-guard.ts';
import type { Target } from '../targets/target.ts';
import type { Clock, Ids, Log } from '../system/ports.ts';
import { readClientCertificate } from '../wire/client-certificate.ts';
import type { Endpoint } from '../winrm/endpoint.ts';
import { kerberosCredentials } from '../winrm/kerberos-session.ts';
import type { Credentials } from '../winrm/security-context.ts';
import type { OpenWinRmSession } from '../winrm/session.ts';
import { bootstrapArguments, bootstrapInput, POWERSHELL } from './bootstrap.ts';
import type { Runner, RunOutput, ScriptRun } from './runner.ts';

export interface WinRmRunnerDeps {
  readonly open: OpenWinRmSession;
  readonly guard: Pick<LockoutGuard, 'begin' | 'end'>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
}

/** Errors after which it is known that the target took the secret. */
const LOGGED_ON: ReadonlySet<string> = new Set([
  'winrm_access_denied',
  'winrm_shell_gone',
  'winrm_quota_shells',
  'winrm_quota_operations',
  'winrm_quota',
  'winrm_operation_failed',
  'winrm_output_not_text',
]);

/** What the guard is told: null where the secret was taken, else the error's own code. */
function wordFor(error: unknown): string | null {
  if (!isAgentError(error)) return 'winrm_cancelled';
  return LOGGED_ON.has(error.code) ? null : error.code;
}

export function winRmRunner(deps: WinRmRunnerDeps): Runner {
  return {
    async run(target, run, signal) {
      signal.throwIfAborted();
      const verdict = deps.guard.begin(target);
      if (verdict.may !== 'try') {
        throw new AgentError(verdict.code, 'the lock-out guard holds this credential back', {
          details: { target: target.id },
        });
      }
      let word: string | null = 'winrm_cancelled';
      try {
        const output = await inSession(target, run, deps, signal);
        word = null;
        return output;
      } catch (error) {
        word = wordFor(error);
        signal.throwIfAborted();
        if (isAgentError(error) && error.code === 'winrm_command_timeout') {
          throw new AgentError('runner_timeout', 'the script was not done within its time', { cause: error });
        }
        throw error;
      } finally {
        deps.guard.end(target, word);
      }
    },
  };
}

async function inSession(
  target: Target,
  run: ScriptRun,
  deps: WinRmRunnerDeps,
  signal: AbortSignal,
): Promise<RunOutput> {
  const session = deps.open(endpointOf(target), credentialsOf(target, deps.clock.wallMs()), deps);
  try {
    return await session.run({
      command: POWERSHELL,
      args: bootstrapArguments(),
      stdin: bootstrapInput(run.script, run.params),
      timeoutMs: run.timeoutMs,
      outputCapBytes: run.outputCapBytes,
      rerunnable: run.rerunnable ?? false,
      signal,
    });
  } finally {
    await session.close();
  }
}

function endpointOf({ scheme, hostname, address, port, tls }: Target): Endpoint {
  const trust =
    tls.trust === 'ca'
      ? ({ kind: 'ca', caPem: tls.pem } as const)
      : tls.trust === 'spki'
        ? ({ kind: 'spki', pins: [tls.sha256] } as const)
        : ({ kind: 'system' } as const);
  return { scheme, hostname, address, port, ...(scheme === 'https' ? { tls: trust } : {}) };
}

function credentialsOf(target: Target, nowMs: number): Credentials {
  const { auth, principal: user, domain, secret: password, kdc } = target;
  switch (auth) {
    case 'ntlm':
      return { kind: 'ntlm', user, domain: domain ?? '', password };
    case 'basic_tls':
      return { kind: 'basic_tls', user, password };
    case 'kerberos':
      return kerberosCredentials({ user, password, realm: (domain ?? '').toUpperCase(), kdcs: kdc ?? [] });
    case 'certificate':
      // What the host would refuse anyway is not shown to it.
      readClientCertificate(password, nowMs);
      return { kind: 'certificate', pem: password };
  }
}
