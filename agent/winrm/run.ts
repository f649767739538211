// One command in a shell: start, input, output until it has ended, and the clean-up that follows in any case.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { MAX_COMMAND_CHARS, MAX_OUTPUT_BYTES, SEND_BYTES } from './limits.ts';
import { CappedOutput } from './capped-output.ts';
import type { RunRequest, RunResult } from './session.ts';
import { bodyOf, callForBody, cleanUp, patiently, type Shell, type ShellPorts } from './shell.ts';
import { commandIdOf, receivedOf, type Received, type WsmanFault } from './wsman-answers.ts';
import { isNoOutputYet } from './wsman-faults.ts';
import { commandRequest, receiveRequest, sendRequest, signalRequest } from './wsman-requests.ts';
import { fitsXml } from './xml.ts';

/** Of Windows, when a program has closed its stdin or ended: ERROR_BROKEN_PIPE, ERROR_NO_DATA. */
const STDIN_CLOSED: ReadonlySet<number> = new Set([109, 232]);

/** What is known about a command, also after it failed. */
export interface Progress {
  /** False as long as the host cannot have started it. */
  mayHaveRun: boolean;
  /** True when the shell can be used again. */
  shellIsClean: boolean;
}

/** Throws `winrm_command_invalid`. */
export function checkCommand({ command, args }: RunRequest): void {
  const line = [command, ...args].join(' ');
  if (line.length > MAX_COMMAND_CHARS) {
    throw new AgentError('winrm_command_invalid', `a command line of ${line.length} characters`);
  }
  if (!fitsXml(line)) throw new AgentError('winrm_command_invalid', 'a command line with control characters');
}

/** Runs one command. `progress` is filled in as it goes. */
export async function runCommand(
  ports: ShellPorts,
  shell: Shell,
  request: RunRequest,
  signal: AbortSignal,
  progress: Progress,
): Promise<RunResult> {
  const commandId = await startCommand(ports, shell, request, signal, progress);
  const output = new CappedOutput(Math.min(request.outputCapBytes, MAX_OUTPUT_BYTES));
  let ended: Received['ended'] = null;
  try {
    await sendInput(ports, shell, commandId, request.stdin, signal);
    while (ended === null && !output.truncated) {
      const received = await receive(ports, shell, commandId, signal);
      for (const { stream, data } of received.chunks) output.add(stream, data);
      ended = received.ended;
    }
    return { exitCode: ended?.exitCode ?? null, ...output.result() };
  } finally {
    if (signal.aborted) await interrupt(ports, shell, commandId);
    const terminated = await cleanUp(
      ports,
      'terminate',
      signalRequest(cleanUpHead(ports), shell.id, commandId, 'terminate'),
    );
    progress.shellIsClean = terminated && ended !== null;
  }
}

async function startCommand(
  ports: ShellPorts,
  shell: Shell,
  { command, args }: RunRequest,
  signal: AbortSignal,
  progress: Progress,
): Promise<string> {
  return patiently(ports, signal, async () => {
    progress.mayHaveRun = true;
    const start = commandRequest(ports.head(), shell.id, command, args);
    const answer = await ports.link.call(start, { signal, resends: 0 });
    // A fault says that nothing was started.
    progress.mayHaveRun = answer.kind === 'body';
    const id = commandIdOf(bodyOf(answer, start, ports.place));
    shell.commands += 1;
    return id;
  });
}

async function sendInput(
  ports: ShellPorts,
  shell: Shell,
  commandId: string,
  stdin: Buffer,
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0, end = false; !end; at += SEND_BYTES) {
    end = at + SEND_BYTES >= stdin.length;
    const piece = stdin.subarray(at, at + SEND_BYTES);
    const request = sendRequest(ports.head(), shell.id, commandId, piece, end);
    const answer = await ports.link.call(request, { signal, resends: 0 });
    if (answer.kind === 'fault' && saysStdinClosed(answer.fault)) return;
    bodyOf(answer, request, ports.place);
  }
}

function saysStdinClosed({ code }: WsmanFault): boolean {
  if (code === null) return false;
  return STDIN_CLOSED.has(code >>> 16 === 0x8007 ? code & 0xffff : code);
}

/** One Receive: output, the end, or nothing yet. Lost with its connection it is sent again as it was. */
async function receive(ports: ShellPorts, shell: Shell, commandId: string, signal: AbortSignal): Promise<Received> {
  const request = receiveRequest(ports.head(), shell.id, commandId);
  const answer = await ports.link.call(request, { signal, resends: ports.limits.reconnectTries });
  if (answer.kind === 'fault' && isNoOutputYet(answer.fault)) return { chunks: [], ended: null };
  return receivedOf(bodyOf(answer, request, ports.place), commandId);
}

/** Ctrl+C, and some time for the command to end by itself. Never rejects. */
async function interrupt(ports: ShellPorts, shell: Shell, commandId: string): Promise<void> {
  const { cancelMs } = ports.limits;
  if (!(await cleanUp(ports, 'ctrl_c', signalRequest(cleanUpHead(ports), shell.id, commandId, 'ctrl_c')))) return;
  const signal = AbortSignal.timeout(cancelMs);
  try {
    for (;;) {
      const request = receiveRequest(ports.head(cancelMs), shell.id, commandId);
      const body = await callForBody(ports, request, { signal, answerMs: cancelMs, resends: 0 });
      if (receivedOf(body, commandId).ended !== null) return;
    }
  } catch (error) {
    // It did not end in time, or is gone: terminate and Delete follow either way.
    if (!isAgentError(error) && !signal.aborted) throw error;
  }
}

function cleanUpHead(ports: ShellPorts): ReturnType<ShellPorts['head']> {
  return ports.head(ports.limits.cleanupMs);
}
