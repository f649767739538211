// HTTP/1.1 over one given socket and no other: a security context belongs to its connection, so a request that would need a
// new one fails instead. Parser and framing are Node's own.
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { AgentError } from '../errors/agent-error.ts';
import { endpointName, type Endpoint } from './endpoint.ts';
import { MAX_ANSWER_BYTES } from './limits.ts';
import { nativeCode, refusedCertificate } from './open-socket.ts';

const MAX_HEADER_BYTES = 16_384;
const DEFAULT_PATH = '/wsman';

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  /** All `WWW-Authenticate` fields. */
  readonly challenges: readonly string[];
  /** True where a proxy has named itself. */
  readonly viaProxy: boolean;
  readonly body: Buffer;
}

export interface HttpRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly answerMs: number;
  readonly signal: AbortSignal;
}

/** Hands out its socket once; asked for another one it refuses. */
class OneSocketAgent extends Agent {
  #socket: Socket | null;

  constructor(socket: Socket) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(): Socket {
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null || socket.destroyed) throw sessionLost();
    return socket;
  }
}

export class HttpExchange {
  readonly #endpoint: Endpoint;
  readonly #socket: Socket;
  readonly #showsCertificate: boolean;
  readonly #agent: OneSocketAgent;
  #answered = false;

  /** `showsCertificate`: the host may ask for a client certificate, and refuse it, at any time. */
  constructor(endpoint: Endpoint, socket: Socket, showsCertificate = false) {
    this.#endpoint = endpoint;
    this.#socket = socket;
    this.#showsCertificate = showsCertificate;
    this.#agent = new OneSocketAgent(socket);
  }

  /**
   * One POST. Never concurrent. After a rejection the connection is gone. Rejects with `winrm_session_lost` where it was gone
   * before anything was sent, `winrm_no_answer`, `winrm_connection_lost`, `winrm_answer_too_large`, what
   * tells that the other side is no WinRM service, or the reason of the signal.
   */
  async post(r: HttpRequest): Promise<HttpAnswer> {
    const place = endpointName(this.#endpoint);
    const late = new AgentError('winrm_no_answer', `no whole answer within ${r.answerMs} ms`, { place });
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(late), r.answerMs);
    const onAbort = (): void => controller.abort(r.signal.reason);
    r.signal.addEventListener('abort', onAbort, { once: true });
    if (r.signal.aborted) onAbort();
    try {
      return await this.#post(r, controller.signal);
    } catch (error) {
      this.destroy();
      throw controller.signal.aborted ? controller.signal.reason : this.#translated(error, place);
    } finally {
      clearTimeout(timer);
      r.signal.removeEventListener('abort', onAbort);
    }
  }

  get usable(): boolean {
    return !this.#socket.destroyed && !this.#socket.readableEnded;
  }

  destroy(): void {
    this.#agent.destroy();
    this.#socket.destroy();
  }

  #post(r: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { hostname, port, path } = this.#endpoint;
    const host = hostname.includes(':') ? `[${hostname}]` : hostname;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const request = httpRequest({
        agent: this.#agent,
        method: 'POST',
        path: path ?? DEFAULT_PATH,
        maxHeaderSize: MAX_HEADER_BYTES,
        signal,
        headers: {
          host: `${host}:${port}`,
          'user-agent': 'compliance-agent',
          'content-length': String(r.body.length),
          ...r.headers,
        },
      });
      request.once('error', reject);
      request.once('response', (answer) => {
        this.#answered = true;
        readBody(answer).then((body) => resolve(answerOf(answer, body)), reject);
      });
      request.end(r.body);
    });
  }

  #translated(error: unknown, place: string): unknown {
    if (error instanceof AgentError) return error;
    const refused = this.#showsCertificate ? refusedCertificate(error, place) : null;
    if (refused !== null) return refused;
    const native = nativeCode(error);
    const details = { native };
    if (native.startsWith('HPE_')) {
      const tls = looksLikeTls((error as { rawPacket?: unknown }).rawPacket);
      return tls
        ? new AgentError('winrm_tls_expected', 'the port speaks TLS', { place, details, cause: error })
        : new AgentError('winrm_not_wsman', 'the answer is no HTTP', { place, details, cause: error });
    }
    // A request that could not even be handed to the kernel whole was not read whole by anybody.
    if (this.#answered && (error as { syscall?: unknown }).syscall === 'write') return sessionLost();
    return this.#answered
      ? new AgentError('winrm_connection_lost', `the connection broke (${native})`, { place, details, cause: error })
      : new AgentError('winrm_unreachable', `the host closed the connection before any answer (${native})`, {
          place,
          details,
          cause: error,
        });
  }
}

function sessionLost(): AgentError {
  return new AgentError('winrm_session_lost', 'the host has closed the connection of the session');
}

async function readBody(answer: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_ANSWER_BYTES) {
      throw new AgentError('winrm_answer_too_large', `an answer of more than ${MAX_ANSWER_BYTES} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function answerOf(answer: IncomingMessage, body: Buffer): HttpAnswer {
  const { headers, headersDistinct } = answer;
  return {
    status: answer.statusCode ?? 0,
    contentType: headers['content-type'] ?? '',
    challenges: headersDistinct['www-authenticate'] ?? [],
    viaProxy: ['via', 'x-cache', 'proxy-authenticate', 'proxy-connection', 'x-squid-error'].some(
      (name) => headers[name] !== undefined,
    ),
    body,
  };
}

/** An alert or handshake record of TLS (RFC 8446, section 5.1). */
function looksLikeTls(packet: unknown): boolean {
  return Buffer.isBuffer(packet) && (packet[0] === 0x15 || packet[0] === 0x16) && packet[1] === 0x03;
}
