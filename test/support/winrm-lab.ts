// What tests of the WinRM client share: a server of the lab, sessions to it with short limits, and a command that says back.
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../agent/system/clock.ts';
import type { Endpoint, TlsTrust } from '../../agent/winrm/endpoint.ts';
import type { Limits } from '../../agent/winrm/limits.ts';
import { openWinRmSession } from '../../agent/winrm/open-session.ts';
import type { Credentials } from '../../agent/winrm/security-context.ts';
import type { RunRequest, WinRmSession } from '../../agent/winrm/session.ts';
import type { CommandHandler } from '../lab/winrm-server/remote-command.ts';
import { startWinRmServer, type WinRmServer, type WinRmServerOptions } from '../lab/winrm-server/start-winrm-server.ts';
import { memoryLog, type MemoryLog } from './fakes/memory-log.ts';

export const PASSWORD = 'Pässwörd 日本!';
export const USERS = [
  { user: 'agent', domain: 'LAB', password: PASSWORD },
  { user: 'agent@lab.test', domain: '', password: PASSWORD },
  { user: 'Jürgen Groß', domain: 'PRAXIS', password: '𝔎ennwort ✓ ' },
];
export const NTLM: Credentials = { kind: 'ntlm', user: 'agent', domain: 'LAB', password: Buffer.from(PASSWORD) };

/** Less patience than the real ones; what has to answer has time enough on a busy machine. */
export const SHORT: Partial<Limits> = {
  connectMs: 10_000,
  operationMs: 400,
  answerMs: 20_000,
  cleanupMs: 5_000,
  cancelMs: 300,
  retryPauseMs: 20,
  reconnectMs: 20_000,
};

/** Says its standard input back, and its arguments on stderr; `exit N` ends with N, `forever` never. */
export const ECHO: CommandHandler = async (run) => {
  if (run.command === 'forever') return new Promise<number>(() => undefined);
  run.write('stdout', await run.stdin());
  run.write('stderr', run.args.join('\n'));
  return run.command === 'exit' ? Number(run.args[0]) : 0;
};

export async function withServer(
  options: Partial<WinRmServerOptions>,
  use: (server: WinRmServer) => Promise<void>,
): Promise<void> {
  const server = await startWinRmServer({ users: USERS, handler: ECHO, ...options });
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

export function endpointOf(server: { port: number }, tls?: TlsTrust): Endpoint {
  const at = { hostname: 'localhost', address: '127.0.0.1', port: server.port };
  return tls === undefined ? { scheme: 'http', ...at } : { scheme: 'https', ...at, tls };
}

export interface LabSession {
  readonly session: WinRmSession;
  readonly log: MemoryLog;
}

export function labSession(
  endpoint: Endpoint,
  credentials: Credentials = NTLM,
  limits: Partial<Limits> = SHORT,
): LabSession {
  const log = memoryLog();
  const ids = { randomBytes: (n: number) => randomBytes(n), uuidv7: () => '', random: () => 0.5 };
  return { session: openWinRmSession(endpoint, credentials, { clock: systemClock, ids, log, limits }), log };
}

export function echo(stdin: Buffer | string = '', more: Partial<RunRequest> = {}): RunRequest {
  return {
    command: 'echo',
    args: [],
    stdin: Buffer.from(stdin as string),
    timeoutMs: 20_000,
    outputCapBytes: 1_048_576,
    ...more,
  };
}

/** One run in a session of its own. */
export async function runOnce(
  endpoint: Endpoint,
  request: RunRequest = echo('hello'),
  credentials: Credentials = NTLM,
  limits: Partial<Limits> = SHORT,
): ReturnType<WinRmSession['run']> {
  const { session } = labSession(endpoint, credentials, limits);
  try {
    return await session.run(request);
  } finally {
    await session.close();
  }
}
