// Puts a session together: one link, at most one shell, one command at a time.
import { AgentError } from '../errors/agent-error.ts';
import { endpointName, type Endpoint } from './endpoint.ts';
import { LIMITS, type Limits } from './limits.ts';
import { isLost, Link } from './link.ts';
import { trustOf } from './open-socket.ts';
import { checkCommand, runCommand, type Progress } from './run.ts';
import type { Credentials } from './security-context.ts';
import type { OpenWinRmSession, RunRequest, RunResult, SessionDeps, Traffic, WinRmSession } from './session.ts';
import { deleteShell, openShell, type Shell, type ShellPorts } from './shell.ts';
import { randomUUID } from 'node:crypto';

export const openWinRmSession: OpenWinRmSession = (endpoint, credentials, deps) => {
  if (endpoint.scheme === 'https') trustOf(endpoint);
  else if (credentials.kind === 'basic_tls') {
    throw new AgentError('winrm_basic_without_tls', 'Basic is not sent without TLS', { place: endpointName(endpoint) });
  } else if (credentials.kind === 'certificate') {
    throw new AgentError('winrm_certificate_without_tls', 'without TLS no certificate can be shown', {
      place: endpointName(endpoint),
    });
  }
  return new Session(endpoint, credentials, deps);
};

class Session implements WinRmSession {
  readonly #ports: ShellPorts;
  readonly #limits: Limits;
  #shell: Shell | null = null;
  /** The end of the last call in the queue. */
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    endpoint: Endpoint,
    credentials: Credentials,
    { clock, ids, log, limits, logons, certificateEnds }: SessionDeps,
  ) {
    this.#limits = { ...LIMITS, ...limits };
    const ntlm = { randomBytes: (n: number) => ids.randomBytes(n), nowMs: () => clock.wallMs(), clock };
    const place = endpointName(endpoint);
    this.#ports = {
      link: new Link(endpoint, credentials, ntlm, this.#limits, { logons, certificateEnds }),
      clock,
      log,
      limits: this.#limits,
      place,
      head: (operationMs = this.#limits.operationMs) => ({
        to: `${place}${endpoint.path ?? '/wsman'}`,
        messageId: randomUUID(),
        operationMs,
      }),
    };
  }

  async run(request: RunRequest): Promise<RunResult> {
    checkCommand(request);
    const controller = new AbortController();
    const { place } = this.#ports;
    const timer = setTimeout(
      () =>
        controller.abort(
          new AgentError('winrm_command_timeout', `the command did not end within ${request.timeoutMs} ms`, { place }),
        ),
      request.timeoutMs,
    );
    const onAbort = (): void =>
      controller.abort(new AgentError('winrm_cancelled', 'the command was given up', { place }));
    if (request.signal?.aborted === true) onAbort();
    request.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await this.#inTurn(controller.signal, () => this.#run(request, controller.signal));
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', onAbort);
    }
  }

  traffic(): Traffic {
    return this.#ports.link.traffic();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
    await this.#dropShell();
    this.#ports.link.close();
  }

  /** First come, first served; whoever is aborted while waiting leaves the queue at once. */
  async #inTurn<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new AgentError('winrm_cancelled', 'the session is closed', { place: this.#ports.place });
    const turn = this.#tail;
    const result = turn.then(async () => {
      signal.throwIfAborted();
      return act();
    });
    this.#tail = result.catch(() => undefined);
    let leave: () => void = () => undefined;
    const left = new Promise<'left'>((resolve) => {
      leave = () => resolve('left');
      signal.addEventListener('abort', leave, { once: true });
      if (signal.aborted) leave();
    });
    try {
      const first = await Promise.race([turn.then(() => 'mine' as const), left]);
      if (first === 'left') {
        result.catch(() => undefined);
        signal.throwIfAborted();
      }
      return await result;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  async #run(request: RunRequest, signal: AbortSignal): Promise<RunResult> {
    for (let tries = 0; ; tries += 1) {
      const progress: Progress = { mayHaveRun: false, shellIsClean: false };
      try {
        const shell = await this.#freshShell(signal);
        const result = await runCommand(this.#ports, shell, request, signal, progress);
        return result;
      } catch (error) {
        signal.throwIfAborted();
        if (tries > 0 || !this.#mayRunAgain(error, request, progress)) throw error;
      } finally {
        if (this.#shell !== null) this.#shell.usedAtMs = this.#ports.clock.monoMs();
        if (!progress.shellIsClean) await this.#dropShell();
      }
    }
  }

  /** Once more only where the host cannot have run it, or where running it twice does no harm. */
  #mayRunAgain(error: unknown, request: RunRequest, progress: Progress): boolean {
    const gone = error instanceof AgentError && error.code === 'winrm_shell_gone';
    if (!gone && !(isLost(error) && progress.mayHaveRun)) return false;
    return !progress.mayHaveRun || request.rerunnable === true;
  }

  async #freshShell(signal: AbortSignal): Promise<Shell> {
    const { shellCommands, shellIdleMs } = this.#limits;
    const shell = this.#shell;
    if (shell !== null) {
      const idleMs = this.#ports.clock.monoMs() - shell.usedAtMs;
      if (shell.commands < shellCommands && idleMs < shellIdleMs) return shell;
      await this.#dropShell();
    }
    this.#shell = await openShell(this.#ports, signal);
    return this.#shell;
  }

  async #dropShell(): Promise<void> {
    const shell = this.#shell;
    this.#shell = null;
    if (shell !== null) await deleteShell(this.#ports, shell);
  }
}
