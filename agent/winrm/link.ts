// Keeps one connection to a host: opens it when it is needed, opens it anew when it broke, and sends again what may be sent
// again. It knows no shells.
import { isAgentError, type AgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';
import type { Clock } from '../system/ports.ts';
import { Connection } from './connection.ts';
import { endpointName, type Endpoint } from './endpoint.ts';
import type { Limits } from './limits.ts';
import type { NtlmDeps } from './ntlm-session.ts';
import type { Credentials } from './security-context.ts';
import type { LogonGate } from './session.ts';
import type { WsmanAnswer } from './wsman-answers.ts';
import { faultError } from './wsman-faults.ts';
import type { WsmanRequest } from './wsman-requests.ts';

/** Errors after which the request may have been carried out, or not. */
const LOST: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'winrm_unreachable',
  'winrm_name_unresolved',
  'winrm_connection_lost',
  'winrm_no_answer',
  'winrm_tls_failed',
  'winrm_http_failed',
  'winrm_session_lost',
]);

/** Errors that prove a bad secret, or may: another try would only count towards a lock-out. */
const BAD_SECRET: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'winrm_logon_failed',
  'winrm_account_locked',
  'winrm_account_disabled',
  'winrm_password_expired',
  // The mapping of a certificate holds a password of its own, which the host tries each time.
  'winrm_client_certificate_unmapped',
  'winrm_client_certificate_untrusted',
  'winrm_client_certificate_not_asked',
]);

export function isLost(error: unknown): error is AgentError {
  return isAgentError(error) && LOST.has(error.code);
}

export interface LinkCall {
  readonly signal: AbortSignal;
  /** Default: that of the limits. */
  readonly answerMs?: number;
  /**
   * How often the request, with the same MessageID, may be sent again after the connection was lost. Zero for what must not
   * happen twice.
   */
  readonly resends: number;
}

/** Who is told of what happens on the way. */
export interface LinkListeners {
  /** Without it every logon that is needed is tried. */
  readonly logons?: LogonGate | undefined;
  /** See `SessionDeps`. */
  readonly certificateEnds?: ((ends: number) => void) | undefined;
}

const OPEN_GATE: LogonGate = { begin: () => Promise.resolve(), end: () => undefined };

export class Link {
  readonly #endpoint: Endpoint;
  readonly #credentials: Credentials;
  readonly #deps: NtlmDeps & { readonly clock: Clock };
  readonly #limits: Limits;
  readonly #logons: LogonGate;
  readonly #certificateEnds: (ends: number) => void;
  #connection: Connection | null = null;
  /** A logon has begun whose end nobody was told yet. */
  #loggingOn = false;
  /** Set once the host has refused the secret; nothing is sent any more then. */
  #refused: AgentError | null = null;
  readonly #past = { bytesSent: 0, bytesReceived: 0, requests: 0 };

  constructor(
    endpoint: Endpoint,
    credentials: Credentials,
    deps: NtlmDeps & { clock: Clock },
    limits: Limits,
    { logons = OPEN_GATE, certificateEnds = () => undefined }: LinkListeners = {},
  ) {
    this.#endpoint = endpoint;
    this.#credentials = credentials;
    this.#deps = deps;
    this.#limits = limits;
    this.#logons = logons;
    this.#certificateEnds = certificateEnds;
  }

  /** Rejects with an AgentError, or with the reason of the signal. */
  async call(request: WsmanRequest, o: LinkCall): Promise<WsmanAnswer> {
    const { clock } = this.#deps;
    const giveUpAt = clock.monoMs() + this.#limits.reconnectMs;
    let pauseMs = this.#limits.retryPauseMs;
    let resends = 0;
    let loggedOnAgain = false;
    for (;;) {
      let sent = resends > 0;
      try {
        const connection = await this.#connected(o.signal);
        sent = true;
        const answer = await connection.call(request, {
          answerMs: o.answerMs ?? this.#limits.answerMs,
          signal: o.signal,
        });
        this.#noteAnswer(answer, request);
        return answer;
      } catch (error) {
        this.#noteError(error);
        if (o.signal.aborted || !isLost(error) || !sent) throw error;
        // The host did not know the session, or had closed it: the request was not carried out.
        if (error.code === 'winrm_session_lost' && !loggedOnAgain) {
          loggedOnAgain = true;
          continue;
        }
        if (resends >= o.resends || clock.monoMs() + pauseMs > giveUpAt) throw error;
        resends += 1;
        await clock.sleep(pauseMs, o.signal);
        pauseMs *= 2;
      }
    }
  }

  traffic(): { bytesSent: number; bytesReceived: number; requests: number } {
    const now = this.#connection?.traffic;
    return {
      bytesSent: this.#past.bytesSent + (now?.bytesSent ?? 0),
      bytesReceived: this.#past.bytesReceived + (now?.bytesReceived ?? 0),
      requests: this.#past.requests + (now?.requests ?? 0),
    };
  }

  close(): void {
    const connection = this.#connection;
    if (connection === null) return;
    const { bytesSent, bytesReceived, requests } = connection.traffic;
    this.#past.bytesSent += bytesSent;
    this.#past.bytesReceived += bytesReceived;
    this.#past.requests += requests;
    this.#connection = null;
    connection.close();
  }

  async #connected(signal: AbortSignal): Promise<Connection> {
    if (this.#refused !== null) throw this.#refused;
    if (this.#connection?.usable === true) return this.#connection;
    this.close();
    signal.throwIfAborted();
    await this.#logons.begin(signal);
    this.#loggingOn = true;
    this.#connection = await Connection.open(this.#endpoint, this.#credentials, this.#deps, this.#limits, signal);
    return this.#connection;
  }

  /** An answer shows that the host knows the user, unless it is a fault that says otherwise. */
  #noteAnswer(answer: WsmanAnswer, { operation }: WsmanRequest): void {
    const code =
      answer.kind === 'fault' ? faultError(answer.fault, operation, endpointName(this.#endpoint)).code : null;
    if (code !== null && BAD_SECRET.has(code)) this.#tellRefusal(code);
    else this.#endLogon(null);
  }

  #noteError(error: unknown): void {
    const code = isAgentError(error) ? error.code : 'winrm_cancelled';
    if (isAgentError(error) && BAD_SECRET.has(error.code)) {
      // Told once; what is asked afterwards meets the same error.
      if (this.#refused === null) this.#tellRefusal(error.code);
      this.#refused = error;
      return;
    }
    // What breaks after the logon says nothing against it.
    this.#endLogon(this.#connection?.hasLoggedOn === true ? null : code);
  }

  /** Also of a secret that was taken before: an account may be locked between two requests. */
  #tellRefusal(code: ErrorCode): void {
    this.#loggingOn = false;
    this.#logons.end(code);
  }

  #endLogon(code: string | null): void {
    if (!this.#loggingOn) return;
    this.#loggingOn = false;
    this.#logons.end(code);
    const ends = this.#connection?.certificateEnds ?? null;
    if (code === null && ends !== null) this.#certificateEnds(ends);
  }
}
