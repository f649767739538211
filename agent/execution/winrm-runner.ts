// The runner on Windows machines: a session of it is a session of WinRM, one connection and one shell, made when the first script
// runs. The lock-out guard is asked before each logon and told how it ended; a host has room for two sessions at a time.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { PROVEN_BAD } from '../targets/lockout.ts';
import type { LockoutGuard } from '../targets/lockout-guard.ts';
import type { Target } from '../targets/target.ts';
import type { Clock, Ids, Log } from '../system/ports.ts';
import { readClientCertificate } from '../wire/client-certificate.ts';
import type { Endpoint } from '../winrm/endpoint.ts';
import { kerberosCredentials } from '../winrm/kerberos-session.ts';
import type { Credentials } from '../winrm/security-context.ts';
import type { LogonGate, OpenWinRmSession, WinRmSession } from '../winrm/session.ts';
import { bootstrapArguments, bootstrapInput, POWERSHELL } from './bootstrap.ts';
import { createHostSessions, type HostSessions } from './host-sessions.ts';
import type { Runner, RunOutput, ScriptRun, TargetSession } from './runner.ts';

export interface WinRmRunnerDeps {
  readonly open: OpenWinRmSession;
  readonly guard: Pick<LockoutGuard, 'begin' | 'end'>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Told of each contact over TLS when the certificate ends that the target showed (Unix seconds). */
  readonly met?: (target: Pick<Target, 'id' | 'tls'>, certificateEnds: number) => void;
}

/** Errors after which it is known that the target took the secret. */
const LOGGED_ON: ReadonlySet<string> = new Set([
  'winrm_access_denied',
  'winrm_shell_gone',
  'winrm_quota_shells',
  'winrm_quota_operations',
  'winrm_quota',
  'winrm_operation_failed',
]);

/** Where another target tries a new secret first: as long as its logon can take, until all others may use it or none. */
const OTHER_LOGON_MS = 60_000;
const OTHER_LOGON_PAUSE_MS = 100;

export function winRmRunner(deps: WinRmRunnerDeps): Runner {
  const hosts = createHostSessions();
  return { open: (target) => new WinRmTargetSession(target, deps, hosts) };
}

class WinRmTargetSession implements TargetSession {
  readonly #target: Target;
  readonly #deps: WinRmRunnerDeps;
  readonly #hosts: HostSessions;
  #session: WinRmSession | null = null;
  #leaveHost: () => void = () => undefined;
  /** The secret was refused: nothing more is sent with it. */
  #refused: AgentError | null = null;

  constructor(target: Target, deps: WinRmRunnerDeps, hosts: HostSessions) {
    this.#target = target;
    this.#deps = deps;
    this.#hosts = hosts;
  }

  async run(run: ScriptRun, signal: AbortSignal): Promise<RunOutput> {
    signal.throwIfAborted();
    if (this.#refused !== null) throw this.#refused;
    const begunMs = this.#deps.clock.monoMs();
    try {
      const session = (this.#session ??= await this.#opened(run.timeoutMs, signal));
      return await session.run({
        command: POWERSHELL,
        args: bootstrapArguments(),
        stdin: bootstrapInput(run.script, run.params, run.cpuMs),
        timeoutMs: run.timeoutMs - (this.#deps.clock.monoMs() - begunMs),
        outputCapBytes: run.outputCapBytes,
        rerunnable: run.rerunnable ?? false,
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      if (isAgentError(error) && PROVEN_BAD.some((bad) => bad === error.code)) this.#refused = error;
      if (isAgentError(error) && error.code === 'winrm_command_timeout') throw timedOut(error);
      throw error;
    }
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.close();
    this.#leaveHost();
  }

  async #opened(timeoutMs: number, signal: AbortSignal): Promise<WinRmSession> {
    const target = this.#target;
    const late = AbortSignal.timeout(timeoutMs);
    try {
      this.#leaveHost = await this.#hosts.take(target.address, AbortSignal.any([signal, late]));
    } catch (error) {
      signal.throwIfAborted();
      throw timedOut(error);
    }
    const { open, met, clock, ids, log } = this.#deps;
    try {
      const credentials = credentialsOf(target, clock.wallMs());
      return open(endpointOf(target), credentials, {
        ...{ clock, ids, log },
        logons: logonsOn(target, this.#deps),
        ...(met === undefined ? {} : { certificateEnds: (ends) => met({ id: target.id, tls: target.tls }, ends) }),
      });
    } catch (error) {
      this.#leaveHost();
      throw error;
    }
  }
}

const timedOut = (cause: unknown): AgentError =>
  new AgentError('runner_timeout', 'the script was not done within its time', { cause });

function logonsOn(target: Target, { guard, clock }: WinRmRunnerDeps): LogonGate {
  return {
    async begin(signal) {
      const untilMs = clock.monoMs() + OTHER_LOGON_MS;
      for (;;) {
        const verdict = guard.begin(target);
        if (verdict.may === 'try') return;
        const isTried = verdict.may === 'later' && verdict.until === null;
        if (!isTried || clock.monoMs() >= untilMs) {
          throw new AgentError(verdict.code, 'the lock-out guard holds this credential back', {
            details: { target: target.id },
          });
        }
        await clock.sleep(OTHER_LOGON_PAUSE_MS, signal);
      }
    },
    end: (code) => guard.end(target, code !== null && LOGGED_ON.has(code) ? null : code),
  };
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
