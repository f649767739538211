// The HTTP border of Central Command: TLS 1.3, each route parses, calls one service, and answers; errors become problems in
// one place. The contract is central/openapi.yaml.
import { constants, randomUUID } from 'node:crypto';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import Fastify, { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { FastifyBaseLogger } from 'fastify';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { maxLineBytes } from '../../agent/wire/document.ts';
import { CHALLENGE_LIFE_S } from '../service/challenges.ts';
import { checkIn } from '../service/check-in.ts';
import type { Central } from '../service/central.ts';
import { enrol } from '../service/enrol.ts';
import { findContentFile, findDocument } from '../service/find-document.ts';
import { renewCertificate } from '../service/renew-certificate.ts';
import { MAX_UPLOAD_BYTES, storeUpload } from '../service/store-upload.ts';
import { takeRecoveryKey } from '../service/take-recovery-key.ts';
import { takeTicket } from '../service/take-ticket.ts';
import { clientCertificate } from './client-certificate.ts';
import { applianceParam, contentRef, documentRef, oneHeader, originHeader, seqHeader } from './parse-request.ts';
import { plainBody } from './plain-body.ts';
import { problemOf, RETRY_AFTER_S } from './problem.ts';
import { rateLimiter, type Rate } from './rate-limit.ts';

export const DSSE = 'application/vnd.dsse+json';
const OCTETS = 'application/octet-stream';
export const NDJSON = 'application/x-ndjson';
export const PROBLEM = 'application/problem+json';
/** RFC 8555, section 9.1. */
export const PEM_CHAIN = 'application/pem-certificate-chain';

export interface Rates {
  readonly enrolment: Rate;
  readonly checkin: Rate;
  readonly evidence: Rate;
  readonly documents: Rate;
  readonly content: Rate;
  readonly certificates: Rate;
  readonly tickets: Rate;
  readonly recoveryKeys: Rate;
}

/** Enrolment and certificates per address (many boxes may share one), all else per appliance. A check-in a minute is normal; the rest allows for catching up. */
export const DEFAULT_RATES: Rates = {
  enrolment: { burst: 30, perSecond: 1 },
  checkin: { burst: 60, perSecond: 5 },
  evidence: { burst: 120, perSecond: 10 },
  documents: { burst: 60, perSecond: 5 },
  // A whole list in one go.
  content: { burst: 500, perSecond: 10 },
  certificates: { burst: 20, perSecond: 0.5 },
  tickets: { burst: 60, perSecond: 1 },
  // Once in the life of a disk, and once a week again.
  recoveryKeys: { burst: 20, perSecond: 0.1 },
};

export interface ServerOptions {
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string };
  /** Host names and addresses that requests may name; ports are not compared. */
  readonly hosts: ReadonlySet<string>;
  readonly rates?: Partial<Rates>;
  readonly logger?: FastifyBaseLogger;
}

/** A kept connection outlives the pause between two check-ins of a metered appliance (5 minutes). */
const KEEP_ALIVE_MS = 330_000;
/** From the first byte of a request to its last. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Far above one connection per appliance; below what the process may open. */
const MAX_CONNECTIONS = 4_096;
const CORRELATION_ID = /^[A-Za-z0-9._-]{1,64}$/;

const ROUTES: ReadonlyMap<string, string> = new Map([
  ['/api/v1/enrolments', 'POST'],
  ['/api/v1/appliances/checkin', 'POST'],
  ['/api/v1/appliances/evidence', 'POST'],
  ['/api/v1/appliances/certificate', 'POST'],
  ['/api/v1/appliances/tickets', 'POST'],
  ['/api/v1/appliances/recovery-key', 'POST'],
]);
const CHALLENGE_ROUTE = /^\/api\/v1\/appliances\/certificate\/challenges\/[^/]+$/;
const CONTENT_ROUTE = /^\/api\/v1\/appliances\/content\/[^/]+$/;
const DOCUMENT_ROUTE = /^\/api\/v1\/appliances\/documents\/[^/]+\/[^/]+$/;

export type CentralServer = FastifyInstance<HttpsServer>;

/** The server, not yet listening. */
export function buildServer(central: Central, o: ServerOptions): CentralServer {
  const server = Fastify({
    https: {
      ...o.tls,
      minVersion: 'TLSv1.3',
      requestCert: true,
      // Each route that needs a certificate checks it itself: enrolment comes without one, and a lapsed one gets a reason.
      rejectUnauthorized: false,
      // No resumption: every connection proves its key and shows its certificate.
      secureOptions: constants.SSL_OP_NO_TICKET,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
    },
    ...(o.logger === undefined ? { logger: false } : { loggerInstance: o.logger }),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'correlation_id' }),
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    bodyLimit: maxLineBytes('checkinRequest'),
    genReqId: (request) => {
      const given = request.headers['x-correlation-id'];
      return typeof given === 'string' && CORRELATION_ID.test(given) ? given : randomUUID();
    },
    requestIdHeader: false,
    exposeHeadRoutes: false,
    clientErrorHandler: answerBrokenHttp,
    // An address that cannot be decoded never reaches the hooks.
    frameworkErrors: (error, request, reply) => {
      reply.header('x-correlation-id', request.id);
      sendProblem(error, request, reply);
    },
  }) as unknown as CentralServer;

  server.server.maxConnections = MAX_CONNECTIONS;
  server.removeAllContentTypeParsers();
  for (const type of [DSSE, NDJSON]) {
    server.addContentTypeParser(type, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  }
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-correlation-id', request.id);
    refuseForeignHost(request, o.hosts);
  });
  server.addHook('onResponse', async (request, reply) => {
    request.log.info(
      { method: request.method, path: request.url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
      'request answered',
    );
  });
  server.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  server.setNotFoundHandler((request, reply) => sendProblem(notFound(request, reply), request, reply));
  addRoutes(server, central, { ...DEFAULT_RATES, ...o.rates });
  return server;
}

function addRoutes(server: CentralServer, central: Central, rates: Rates): void {
  const nowMs = () => performance.now();
  const limits = {
    enrolment: rateLimiter(rates.enrolment, nowMs),
    checkin: rateLimiter(rates.checkin, nowMs),
    evidence: rateLimiter(rates.evidence, nowMs),
    documents: rateLimiter(rates.documents, nowMs),
    content: rateLimiter(rates.content, nowMs),
    certificates: rateLimiter(rates.certificates, nowMs),
    tickets: rateLimiter(rates.tickets, nowMs),
    recoveryKeys: rateLimiter(rates.recoveryKeys, nowMs),
  };
  const client = (request: FastifyRequest, limit: (key: string) => void) => {
    const certificate = clientCertificate(request.raw.socket as TLSSocket, central.now());
    request.log = request.log.child({ appliance: certificate.applianceId });
    limit(certificate.applianceId);
    return certificate;
  };

  server.post('/api/v1/enrolments', {
    bodyLimit: maxLineBytes('claim'),
    onRequest: async (request) => limits.enrolment(request.ip),
    handler: async (request, reply) => reply.type(DSSE).send(await enrol(central, bodyOf(request, DSSE))),
  });
  server.post('/api/v1/appliances/checkin', {
    bodyLimit: maxLineBytes('checkinRequest'),
    onRequest: async (request) => void client(request, limits.checkin),
    handler: async (request, reply) => {
      const certificate = clientCertificate(request.raw.socket as TLSSocket, central.now());
      const body = plainBody(request.headers, bodyOf(request, DSSE), maxLineBytes('checkinRequest'));
      return reply.type(DSSE).send(await checkIn(central, certificate, body));
    },
  });
  server.post('/api/v1/appliances/evidence', {
    bodyLimit: MAX_UPLOAD_BYTES,
    onRequest: async (request) => void client(request, limits.evidence),
    handler: async (request, reply) => {
      const certificate = clientCertificate(request.raw.socket as TLSSocket, central.now());
      if (oneHeader(request.headers, 'content-encoding') !== 'gzip') {
        throw new AgentError('media_type_unsupported', 'evidence comes with content-encoding gzip');
      }
      const upload = {
        origin: originHeader(request.headers),
        firstSeq: seqHeader(request.headers),
        body: bodyOf(request, NDJSON),
      };
      return reply.type(DSSE).send(await storeUpload(central, certificate, upload));
    },
  });
  server.post('/api/v1/appliances/certificate/challenges/:appliance', {
    // It has none.
    bodyLimit: 1,
    onRequest: async (request) => limits.certificates(request.ip),
    handler: async (request, reply) => {
      const challenge = central.challenges.issue(applianceParam(request.params));
      return reply.type('application/json').send(JSON.stringify({ challenge, expires_in_s: CHALLENGE_LIFE_S }));
    },
  });
  server.post('/api/v1/appliances/certificate', {
    bodyLimit: maxLineBytes('certificateRequest'),
    onRequest: async (request) => limits.certificates(request.ip),
    handler: async (request, reply) => {
      const client = () => clientCertificate(request.raw.socket as TLSSocket, central.now());
      return reply.type(PEM_CHAIN).send(await renewCertificate(central, client, bodyOf(request, DSSE)));
    },
  });
  server.post('/api/v1/appliances/tickets', {
    bodyLimit: maxLineBytes('ticketUpdate'),
    onRequest: async (request) => void client(request, limits.tickets),
    handler: async (request, reply) => {
      const certificate = clientCertificate(request.raw.socket as TLSSocket, central.now());
      const taken = takeTicket(central, certificate, bodyOf(request, DSSE));
      return reply.type('application/json').send(JSON.stringify(taken));
    },
  });
  server.post('/api/v1/appliances/recovery-key', {
    bodyLimit: maxLineBytes('recoveryKey'),
    onRequest: async (request) => void client(request, limits.recoveryKeys),
    handler: async (request, reply) => {
      const certificate = clientCertificate(request.raw.socket as TLSSocket, central.now());
      const taken = takeRecoveryKey(central, certificate, bodyOf(request, DSSE));
      return reply.type('application/json').send(JSON.stringify(taken));
    },
  });
  server.get('/api/v1/appliances/documents/:kind/:ref', {
    onRequest: async (request) => void client(request, limits.documents),
    handler: async (request, reply) => {
      const certificate = clientCertificate(request.raw.socket as TLSSocket, central.now());
      const { kind, ref } = documentRef(request.params);
      return reply.type(DSSE).send(findDocument(central, certificate, kind, ref));
    },
  });
  server.get('/api/v1/appliances/content/:digest', {
    onRequest: async (request) => void client(request, limits.content),
    handler: async (request, reply) => {
      const certificate = clientCertificate(request.raw.socket as TLSSocket, central.now());
      return reply.type(OCTETS).send(findContentFile(central, certificate, contentRef(request.params)));
    },
  });
}

function bodyOf(request: FastifyRequest, type: string): Buffer {
  const given = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (given !== type) throw new AgentError('media_type_unsupported', `this address takes ${type}`);
  if (!Buffer.isBuffer(request.body)) throw new AgentError('request_malformed', 'the request has no body');
  return request.body;
}

/** A page that got a browser or another name to point here must not pass for us. */
function refuseForeignHost(request: FastifyRequest, hosts: ReadonlySet<string>): void {
  const host = request.headers.host ?? '';
  const name = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:[0-9]+$/, '');
  if (!hosts.has(name.toLowerCase())) throw new AgentError('host_unknown', 'the Host header names another server');
}

function notFound(request: FastifyRequest, reply: FastifyReply): AgentError {
  const path = request.url.split('?')[0] ?? '';
  const method =
    ROUTES.get(path) ??
    (DOCUMENT_ROUTE.test(path) || CONTENT_ROUTE.test(path) ? 'GET' : CHALLENGE_ROUTE.test(path) ? 'POST' : null);
  if (method === null || method === request.method) return new AgentError('route_unknown', 'no such address');
  reply.header('allow', method);
  return new AgentError('method_not_allowed', `this address takes ${method}`);
}

function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = problemOf(error);
  const fields = { code: problem.code, ...(error instanceof AgentError ? { details: error.details } : {}) };
  if (problem.status >= 500) request.log.error({ ...fields, err: error }, 'request failed');
  else request.log.warn(fields, 'request refused');
  if (problem.status === 429 || problem.status === 503) reply.header('retry-after', String(RETRY_AFTER_S));
  // What is refused before its body was read must not leave the rest of the body on a kept connection.
  if (!request.raw.complete) reply.header('connection', 'close');
  return reply.code(problem.status).type(PROBLEM).send(JSON.stringify(problem));
}

/** What the HTTP parser refuses never becomes a request; it is answered on the bare socket and closed. */
function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = problemOf(new AgentError('request_malformed', 'the request is not proper HTTP'));
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: ${PROBLEM}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `x-correlation-id: ${randomUUID()}\r\nconnection: close\r\n\r\n${body}`,
  );
}
