// Room `winrm`: a client for WS-Management with the Windows Remote Shell (MS-WSMV, MS-WSMAN). It carries a command line and
// its input to a Windows host and brings back output and exit code; it does not know what they mean. One session is one
// connection, one user and at most one shell.
import type { Clock, Ids, Log } from '../system/ports.ts';
import type { Endpoint } from './endpoint.ts';
import type { Limits } from './limits.ts';
import type { Credentials } from './security-context.ts';

export interface RunRequest {
  /** The program, without quotes: `powershell.exe`. */
  readonly command: string;
  /** Given as they are; quoting is the caller's (Windows programs parse their own command line). */
  readonly args: readonly string[];
  /** Sent in pieces and then closed. */
  readonly stdin: Buffer;
  /** From the call to the answer, waiting for the session included. Cleaning up may take a few seconds more. */
  readonly timeoutMs: number;
  /** Per stream, at most 16 MiB. A command that writes more is ended. */
  readonly outputCapBytes: number;
  readonly signal?: AbortSignal;
  /**
   * True where the command may run twice without harm (it only reads). Only then is it started again after the shell or the
   * connection was lost at a point where it may have run. Default false.
   */
  readonly rerunnable?: boolean;
}

export interface RunResult {
  /** As a signed 32-bit number; null when the command was ended because of its output. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  /** What the program wrote; PowerShell writes CLIXML (MS-PSRP 2.2.5). */
  readonly stderr: Buffer;
  /** True when a stream was longer than the cap: what is there is its beginning. */
  readonly truncated: boolean;
}

export interface WinRmSession {
  /**
   * Runs one command. Calls wait for each other, first come, first served. Rejects with an AgentError `winrm_*`; those that
   * prove a bad secret are `winrm_logon_failed`, `winrm_account_locked`, `winrm_account_disabled` and
   * `winrm_password_expired`.
   */
  run(request: RunRequest): Promise<RunResult>;
  /** Bytes on the wire (TLS included) and HTTP requests so far. */
  traffic(): Traffic;
  /** Deletes the shell and closes the connection; never rejects. */
  close(): Promise<void>;
}

export interface Traffic {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly requests: number;
}

/** Asked right before each logon of a session and told how it ended: whoever counts what could lock the account. */
export interface LogonGate {
  /** What it rejects with ends the call that needed the logon; nothing was sent then. It may wait, and ends with the signal. */
  begin(signal: AbortSignal): Promise<void>;
  /** Code of the error that the logon ended with; null: the host took the secret. Follows each `begin` that let the logon be tried;
   * a secret that is refused later is told as well. */
  end(code: string | null): void;
}

export interface SessionDeps {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Without it every logon that is needed is tried. */
  readonly logons?: LogonGate;
  /** Told once for each connection over TLS that the host let log on: when the certificate ends that it showed, Unix seconds. */
  readonly certificateEnds?: (ends: number) => void;
  /** Other deadlines than the standard ones; for tests. */
  readonly limits?: Partial<Limits>;
}

/**
 * Nothing is sent before the first `run`. Throws `winrm_basic_without_tls`, `winrm_certificate_without_tls` and
 * `winrm_trust_missing` at once.
 */
export type OpenWinRmSession = (endpoint: Endpoint, credentials: Credentials, deps: SessionDeps) => WinRmSession;
