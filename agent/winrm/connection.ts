// One authenticated connection: logs on, seals what goes out over plain HTTP, opens what comes back. A connection that failed
// once is not used again.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { serverEndPoint } from './channel-binding.ts';
import { endpointName, type Endpoint } from './endpoint.ts';
import { HttpExchange, type HttpAnswer } from './http-exchange.ts';
import { refusedCertificateLogon, refusedLogon, unexpectedStatus } from './http-refusals.ts';
import type { Limits } from './limits.ts';
import { NtlmSession, type NtlmDeps } from './ntlm-session.ts';
import { askedForCertificate, openSocket, speaksTls, type OpenSocket } from './open-socket.ts';
import { isSealedContentType, readSealed, sealedContentType, writeSealed, type SealScheme } from './sealed-body.ts';
import type { ContextRequest, Credentials, SecurityContext } from './security-context.ts';
import { SpnegoSession } from './spnego-session.ts';
import { readAnswer, type WsmanAnswer } from './wsman-answers.ts';
import type { WsmanRequest } from './wsman-requests.ts';

const SOAP_TYPE = 'application/soap+xml;charset=UTF-8';
/** NTLM needs two legs, SPNEGO and Kerberos at most three. */
const MAX_LEGS = 4;
/** The host is there, it has just hung up: a handshake takes milliseconds. */
const TLS_PROBE_MS = 2_000;

export interface CallOptions {
  readonly answerMs: number;
  readonly signal: AbortSignal;
}

export class Connection {
  readonly #endpoint: Endpoint;
  readonly #http: HttpExchange;
  readonly #raw: OpenSocket['raw'];
  readonly #socket: OpenSocket['socket'];
  readonly #scheme: SealScheme;
  readonly #context: SecurityContext | null;
  readonly #authorization: string | null;
  readonly #showsCertificate: boolean;
  /** Of the host's certificate, Unix seconds; null without TLS, or where its date cannot be read. */
  readonly certificateEnds: number | null;
  #requests = 0;

  private constructor(endpoint: Endpoint, opened: OpenSocket, credentials: Credentials, ntlm: NtlmDeps) {
    this.#endpoint = endpoint;
    this.#showsCertificate = credentials.kind === 'certificate';
    this.#http = new HttpExchange(endpoint, opened.socket, this.#showsCertificate);
    this.#raw = opened.raw;
    this.#socket = opened.socket;
    const endsMs = opened.certificate?.validToDate.getTime() ?? Number.NaN;
    this.certificateEnds = Number.isFinite(endsMs) ? Math.floor(endsMs / 1_000) : null;
    this.#scheme = credentials.kind === 'context' ? credentials.scheme : 'Negotiate';
    const channelBinding = opened.certificate === null ? null : serverEndPoint(opened.certificate);
    const request: ContextRequest = { hostname: endpoint.hostname, channelBinding };
    this.#context = contextFor(credentials, request, ntlm);
    this.#authorization = authorizationOf(credentials);
  }

  /** Connects and logs on. Rejects with what openSocket names, a code of the logon, or the reason of the signal. */
  static async open(
    endpoint: Endpoint,
    credentials: Credentials,
    ntlm: NtlmDeps,
    limits: Pick<Limits, 'connectMs' | 'answerMs'>,
    signal: AbortSignal,
  ): Promise<Connection> {
    const pem = credentials.kind === 'certificate' ? credentials.pem : null;
    const opened = await openSocket(endpoint, limits.connectMs, signal, pem);
    const connection = new Connection(endpoint, opened, credentials, ntlm);
    try {
      await connection.#logOn({ answerMs: limits.answerMs, signal });
      return connection;
    } catch (error) {
      connection.close();
      const cut = isAgentError(error) && error.code === 'winrm_unreachable' && endpoint.scheme === 'http';
      if (!cut || signal.aborted || !(await speaksTls(endpoint, TLS_PROBE_MS))) throw error;
      // Most servers with TLS just hang up on plain HTTP.
      throw new AgentError('winrm_tls_expected', 'the port speaks TLS', {
        place: endpointName(endpoint),
        cause: error,
      });
    }
  }

  /** False where the secret goes with each request: the first answer proves it then. */
  get hasLoggedOn(): boolean {
    return this.#context !== null;
  }

  get usable(): boolean {
    return this.#http.usable;
  }

  /** On the wire, TLS included. */
  get traffic(): { bytesSent: number; bytesReceived: number; requests: number } {
    return { bytesSent: this.#raw.bytesWritten, bytesReceived: this.#raw.bytesRead, requests: this.#requests };
  }

  /** One request and its answer; a fault is an answer. */
  async call(request: WsmanRequest, options: CallOptions): Promise<WsmanAnswer> {
    try {
      return readAnswer(request, await this.#exchange(request, options));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#context?.close();
    this.#http.destroy();
  }

  async #exchange(request: WsmanRequest, options: CallOptions): Promise<Buffer> {
    // Over TLS the connection itself protects the message.
    const sealing = this.#endpoint.scheme === 'http' ? this.#context : null;
    if (this.#endpoint.scheme === 'http' && sealing === null)
      throw this.#error('winrm_basic_without_tls', 'no sealing');
    const { envelope } = request;
    const body = sealing === null ? envelope : writeSealed(this.#scheme, envelope.length, await sealing.wrap(envelope));
    const contentType = sealing === null ? SOAP_TYPE : sealedContentType(this.#scheme);
    const answer = await this.#post(body, contentType, this.#authorization, options);
    return sealing === null ? this.#plainBody(answer) : this.#openedBody(answer, sealing);
  }

  #plainBody(answer: HttpAnswer): Buffer {
    if (/^\s*application\/soap\+xml\b/i.test(answer.contentType) && answer.body.length > 0) return answer.body;
    throw this.#refusal(answer);
  }

  async #openedBody(answer: HttpAnswer, context: SecurityContext): Promise<Buffer> {
    if (!isSealedContentType(answer.contentType)) {
      const soap = /soap|xml/i.test(answer.contentType);
      if (answer.status === 200 || (soap && answer.body.length > 0)) {
        throw this.#error('winrm_answer_unsealed', `an answer with status ${answer.status} came unsealed`);
      }
      throw this.#refusal(answer);
    }
    const { plainBytes, signature, sealed } = readSealed(this.#scheme, answer.body);
    const plain = await context.unwrap(signature, sealed);
    if (plain.length !== plainBytes) {
      throw this.#error('winrm_seal_broken', `a sealed answer of ${plain.length} bytes that says ${plainBytes}`);
    }
    return plain;
  }

  #refusal(answer: HttpAnswer): AgentError {
    const place = endpointName(this.#endpoint);
    if (answer.status === 401 && this.#showsCertificate) {
      return refusedCertificateLogon(answer, askedForCertificate(this.#socket), place);
    }
    if (answer.status === 401 && this.#authorization !== null) return refusedLogon(answer, 'Basic', 'basic', place);
    return unexpectedStatus(answer, place);
  }

  async #logOn(options: CallOptions): Promise<void> {
    const context = this.#context;
    if (context === null) return;
    const place = endpointName(this.#endpoint);
    let received: Buffer | null = null;
    let done = false;
    for (let leg = 0; leg < MAX_LEGS; leg += 1) {
      const next = await context.step(received);
      done = next.done;
      if (next.token === null) break;
      const header = `${this.#scheme} ${next.token.toString('base64')}`;
      const answer = await this.#post(Buffer.alloc(0), SOAP_TYPE, header, options);
      received = tokenOf(answer.challenges, this.#scheme);
      if (answer.status === 200) {
        if (!done && received !== null) done = (await context.step(received)).done;
        break;
      }
      if (answer.status !== 401) throw unexpectedStatus(answer, place);
      if (done || received === null || leg > 0) {
        // The first leg of NTLM proves nothing yet; every other one has shown the secret.
        const shown = leg > 0 || context.protocol === 'kerberos' ? context.protocol : 'nothing';
        throw refusedLogon(answer, this.#scheme, shown, place);
      }
    }
    if (!done) throw this.#error('winrm_answer_invalid', 'the host ends the logon before both sides have agreed');
  }

  async #post(
    body: Buffer,
    contentType: string,
    authorization: string | null,
    options: CallOptions,
  ): Promise<HttpAnswer> {
    this.#requests += 1;
    const headers = { 'content-type': contentType, ...(authorization === null ? {} : { authorization }) };
    return this.#http.post({ headers, body, ...options });
  }

  #error(
    code: 'winrm_basic_without_tls' | 'winrm_answer_unsealed' | 'winrm_seal_broken' | 'winrm_answer_invalid',
    words: string,
  ): AgentError {
    return new AgentError(code, words, { place: endpointName(this.#endpoint) });
  }
}

function contextFor(credentials: Credentials, request: ContextRequest, deps: NtlmDeps): SecurityContext | null {
  switch (credentials.kind) {
    case 'ntlm': {
      const { user, domain, password, spnego } = credentials;
      const ntlm = new NtlmSession({ ...request, user, domain, password }, deps);
      return spnego === true ? new SpnegoSession(ntlm) : ntlm;
    }
    case 'context':
      return credentials.open(request);
    case 'basic_tls':
    case 'certificate':
      return null;
  }
}

/** Security profile of DSP0226 (WS-Management), annex C: says that the client's certificate of this connection is what authenticates. */
const MUTUAL_TLS = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual';

/** The header of every request, where the logon is not a matter of the connection. */
function authorizationOf(credentials: Credentials): string | null {
  if (credentials.kind === 'certificate') return MUTUAL_TLS;
  return credentials.kind === 'basic_tls' ? basic(credentials) : null;
}

function basic({ user, password }: { user: string; password: Buffer }): string {
  const pair = Buffer.concat([Buffer.from(`${user}:`, 'utf8'), password]);
  const header = `Basic ${pair.toString('base64')}`;
  pair.fill(0);
  return header;
}

/** The token of this scheme in `WWW-Authenticate` fields, of which one may hold several challenges. */
export function tokenOf(challenges: readonly string[], scheme: SealScheme): Buffer | null {
  for (const challenge of challenges) {
    const found = new RegExp(`(?:^|,)\\s*${scheme} +([A-Za-z0-9+/]+={0,2})\\s*(?:,|$)`, 'i').exec(challenge);
    if (found !== null) return Buffer.from(found[1]!, 'base64');
  }
  return null;
}
