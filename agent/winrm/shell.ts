// One remote shell on the host: opened with patience where a quota is used up, deleted in any case.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { Clock, Log } from '../system/ports.ts';
import type { Limits } from './limits.ts';
import type { Link, LinkCall } from './link.ts';
import { shellIdOf, type WsmanAnswer } from './wsman-answers.ts';
import { faultError, isQuota } from './wsman-faults.ts';
import { createRequest, deleteRequest, type RequestHead, type WsmanRequest } from './wsman-requests.ts';
import type { XmlElement } from './xml.ts';

/** What operations of the shell need. */
export interface ShellPorts {
  readonly link: Link;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  /** Scheme, host and port, for messages. */
  readonly place: string;
  /** A head with a MessageID of its own. */
  head(operationMs?: number): RequestHead;
}

export interface Shell {
  readonly id: string;
  /** Commands that were started in it. */
  commands: number;
  /** Monotonic milliseconds. */
  usedAtMs: number;
}

/** How much longer the host keeps an idle shell than we do: it cleans up what we no longer can. */
const IDLE_MARGIN_MS = 60_000;

/** Rejects with `winrm_quota…` once patience is used up. A Create whose answer was lost is sent again: an unused shell ends by itself. */
export async function openShell(ports: ShellPorts, signal: AbortSignal): Promise<Shell> {
  const body = await patiently(ports, signal, () =>
    callForBody(ports, createRequest(ports.head(), ports.limits.shellIdleMs + IDLE_MARGIN_MS), { signal, resends: 1 }),
  );
  return { id: shellIdOf(body), commands: 0, usedAtMs: ports.clock.monoMs() };
}

/** Deletes the shell, and with it what runs in it. Never rejects; says so in the log when it could not. */
export async function deleteShell(ports: ShellPorts, shell: Shell): Promise<void> {
  const request = deleteRequest(ports.head(ports.limits.cleanupMs), shell.id);
  await cleanUp(ports, 'delete', request, 1);
}

/** One request of the clean-up within its own short deadline; true when the host did it. Never rejects. */
export async function cleanUp(ports: ShellPorts, what: string, request: WsmanRequest, resends = 0): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ports.limits.cleanupMs);
    const answer = await ports.link.call(request, { signal, answerMs: ports.limits.cleanupMs, resends });
    if (answer.kind === 'body') return true;
    const error = faultError(answer.fault, request.operation, ports.place);
    // What is already gone needs no cleaning.
    if (error.code === 'winrm_shell_gone') return true;
    throw error;
  } catch (error) {
    const code = isAgentError(error) ? error.code : 'winrm_no_answer';
    ports.log.warn('winrm clean-up failed', { what, code, place: ports.place });
    return false;
  }
}

/** The body of the answer; a fault becomes an error. */
export async function callForBody(ports: ShellPorts, request: WsmanRequest, o: LinkCall): Promise<XmlElement> {
  return bodyOf(await ports.link.call(request, o), request, ports.place);
}

export function bodyOf(answer: WsmanAnswer, request: WsmanRequest, place: string): XmlElement {
  if (answer.kind === 'body') return answer.body;
  throw faultError(answer.fault, request.operation, place);
}

/** Tries again after faults about quotas, with growing pauses. */
export async function patiently<T>(ports: ShellPorts, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  let pauseMs = ports.limits.retryPauseMs;
  for (let tries = 1; ; tries += 1) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof AgentError) || !isQuota(error) || tries >= ports.limits.quotaTries) throw error;
      await ports.clock.sleep(pauseMs, signal);
      pauseMs *= 2;
    }
  }
}
