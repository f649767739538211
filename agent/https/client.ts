// Room `https`: one pinned HTTPS client. TLS 1.3, chain + name + pinned CA key, one deadline over everything (DNS, connect,
// handshake, body), answers capped, bytes counted on the wire, redirects never followed, no proxy. It retries nothing:
// every request of this product carries a nonce, so only its sender may make another try.
import type { LookupFunction, Socket } from 'node:net';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { dispatchRequest, UndiciClient } from './dispatch-request.ts';
import type { DateJudge } from './judged-dates.ts';
import { openPinned } from './pinned-connection.ts';
import { pinnedTls } from './pinned-tls.ts';
import { PHASE_WORDS, translateFailure, type Phase } from './translate-failure.ts';

/** An idle connection is kept this long where the server names no time itself: longer than one poll interval + 10 %. */
const KEEP_IDLE_MS = 75_000;
/** Node's own default for servers; header sections beyond it are nobody's honest answer. */
const MAX_HEADER_BYTES = 16_384;

/** Requests of one lane share one connection, one after the other; lanes do not wait for each other. */
export type Lane = 'checkin' | 'bulk';

export interface HttpsRequest {
  readonly method: 'GET' | 'POST';
  /** Begins with `/`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** For the whole request, waiting for the connection included. */
  readonly deadlineMs: number;
  readonly maxResponseBytes: number;
  readonly signal?: AbortSignal;
  /** Default `checkin`. */
  readonly lane?: Lane;
}

export interface HttpsResponse {
  readonly status: number;
  /** Lower-case names; repeated fields joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** On the TCP connection, TLS records included, since the last report of this lane. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Which of `caPins` the server's certificate descends from. */
  readonly caPin: string;
}

export interface HttpsClient {
  /** Host and port, for messages. */
  readonly host: string;
  /** Resolves with any HTTP status; rejects with an AgentError (details `bytes_sent`, `bytes_received` are added). */
  request(o: HttpsRequest): Promise<HttpsResponse>;
  close(): Promise<void>;
}

export interface HttpsClientOptions {
  /** `https://host[:port]`, nothing behind it. */
  readonly baseUrl: string;
  readonly caPem: string;
  /** Hex SHA-256 of the SPKI of each acceptable CA. */
  readonly caPins: readonly string[];
  readonly clientCert?: { readonly certPem: string; readonly keyPem: string };
  readonly userAgent?: string;
  /** Asked for each connection; the wall clock judges where it is absent. */
  readonly dates?: (() => DateJudge) | undefined;
  /** Name resolution in place of the system's. */
  readonly lookup?: LookupFunction;
}

/** Throws `url_invalid`, and what pinnedTls names, before any connection is tried. */
export function createHttpsClient(o: HttpsClientOptions): HttpsClient {
  const url = parseBaseUrl(o.baseUrl);
  const tls = pinnedTls({ caPem: o.caPem, caPins: o.caPins, clientCert: o.clientCert });
  const at = { hostname: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443), host: url.host };
  const lanes = new Map<Lane, LaneState>();
  let closed = false;

  const laneOf = (name: Lane): LaneState => {
    let lane = lanes.get(name);
    if (lane === undefined) {
      lane = { client: null, raw: null, sent: 0, received: 0, phase: 'connect', caPin: '' };
      lanes.set(name, lane);
    }
    return lane;
  };

  const clientOf = (lane: LaneState): UndiciClient => {
    lane.client ??= new UndiciClient(url.origin, {
      connect: (_options, callback) => {
        const opened = openPinned(at, tls, {
          lookup: o.lookup,
          onPhase: (phase) => (lane.phase = phase),
          dates: o.dates?.(),
        });
        adoptSocket(lane, opened.raw);
        opened.secured.then(
          ({ socket, caPin }) => {
            lane.phase = 'request';
            lane.caPin = caPin;
            callback(null, socket);
          },
          (error: Error) => callback(error, null),
        );
      },
      pipelining: 1,
      keepAliveTimeout: KEEP_IDLE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      // One deadline of our own covers all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return lane.client;
  };

  return {
    host: url.host,
    async request(r) {
      if (closed) throw new AgentError('request_aborted', 'the connection is closed for good', { place: url.host });
      const lane = laneOf(r.lane ?? 'checkin');
      const stop = deadline(r, lane, url.host);
      try {
        // A kept connection begins here; a new one goes through its phases first.
        lane.phase = lane.client !== null && lane.raw?.readyState === 'open' ? 'request' : 'connect';
        const response = await dispatchRequest(clientOf(lane), {
          method: r.method,
          path: r.path,
          headers: { 'user-agent': o.userAgent ?? 'compliance-agent', ...r.headers },
          body: r.body ?? null,
          maxResponseBytes: r.maxResponseBytes,
          host: url.host,
          signal: stop.signal,
          onPhase: (phase) => (lane.phase = phase),
        });
        return { ...response, ...takeBytes(lane), caPin: lane.caPin };
      } catch (error) {
        const failure = translateFailure(stop.signal.aborted ? stop.signal.reason : error, {
          host: url.host,
          phase: lane.phase,
        });
        // What failed once is not reused: the next try opens a fresh connection.
        dropConnection(lane);
        const bytes = takeBytes(lane);
        throw new AgentError(failure.code, failure.message, {
          place: failure.place ?? url.host,
          remedy: failure.remedy,
          details: { ...failure.details, bytes_sent: bytes.bytesSent, bytes_received: bytes.bytesReceived },
          cause: failure.cause ?? failure,
        });
      } finally {
        stop.clear();
      }
    },
    async close() {
      closed = true;
      for (const lane of lanes.values()) dropConnection(lane);
    },
  };
}

interface LaneState {
  client: UndiciClient | null;
  raw: Socket | null;
  /** Bytes of former sockets, less what was reported. */
  sent: number;
  received: number;
  phase: Phase;
  /** Of the connection that is or was open. */
  caPin: string;
}

function adoptSocket(lane: LaneState, raw: Socket): void {
  retireSocket(lane);
  lane.raw = raw;
}

function retireSocket(lane: LaneState): void {
  if (lane.raw === null) return;
  lane.sent += lane.raw.bytesWritten;
  lane.received += lane.raw.bytesRead;
  lane.raw = null;
}

function dropConnection(lane: LaneState): void {
  void lane.client?.destroy().catch(() => undefined);
  lane.client = null;
  lane.raw?.destroy();
  retireSocket(lane);
}

/** Bytes since the last call; what a closing socket sends later is counted with the next request. */
function takeBytes(lane: LaneState): { bytesSent: number; bytesReceived: number } {
  const bytesSent = lane.sent + (lane.raw?.bytesWritten ?? 0);
  const bytesReceived = lane.received + (lane.raw?.bytesRead ?? 0);
  lane.sent -= bytesSent;
  lane.received -= bytesReceived;
  return { bytesSent, bytesReceived };
}

function deadline(r: HttpsRequest, lane: LaneState, host: string): { signal: AbortSignal; clear: () => void } {
  const own = new AbortController();
  const late = setTimeout(() => {
    const sentence = `${host} gave no complete answer within ${r.deadlineMs} ms (${PHASE_WORDS[lane.phase]})`;
    own.abort(new AgentError('request_timeout', sentence, { place: host, details: { host, phase: lane.phase } }));
  }, r.deadlineMs);
  const stopped = (): void => own.abort(stopReason(r.signal?.reason, host));
  if (r.signal?.aborted === true) stopped();
  r.signal?.addEventListener('abort', stopped, { once: true });
  return {
    signal: own.signal,
    clear: () => {
      clearTimeout(late);
      r.signal?.removeEventListener('abort', stopped);
    },
  };
}

/** A caller that stops for a reason of its own (shutting down) is quoted; its own deadline reads as one. */
function stopReason(reason: unknown, host: string): AgentError {
  if (isAgentError(reason)) return reason;
  const timedOut = reason instanceof Error && reason.name === 'TimeoutError';
  const sentence = `the request to ${host} was given up${timedOut ? ': its caller had no more time' : ''}`;
  return new AgentError(timedOut ? 'request_timeout' : 'request_aborted', sentence, { place: host });
}

function parseBaseUrl(text: string): URL {
  const url = URL.parse(text);
  if (
    url === null ||
    url.protocol !== 'https:' ||
    url.username !== '' ||
    url.password !== '' ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw new AgentError('url_invalid', `${JSON.stringify(text)} is not a plain https://host[:port] address`);
  }
  return url;
}
