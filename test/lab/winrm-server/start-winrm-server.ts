// A WinRM server for tests, in this process and on loopback only: HTTP with sealing or HTTPS with channel binding, NTLMv2,
// the remote shell, and whatever goes wrong on the way. What a command does is up to a handler.
import { constants, createHash, X509Certificate } from 'node:crypto';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { NtlmAcceptor, type NtlmUser } from './ntlm-acceptor.ts';
import type { CommandHandler } from './remote-command.ts';
import { Fault, readRequest, ShellService, writeAnswer, writeFault } from './shell-service.ts';
import type { Operation, ServiceFault, ShellRequest } from './shell-service.ts';

/** Logons with a client certificate, as WinRM has them (MS-WSMV 2.2.4.3). */
export interface CertificateLogons {
  /** CAs whose certificates the host trusts. */
  readonly caPem: string;
  /** `renegotiation`, as HTTP.sys does: once a request says that it wants it. `handshake`: at once. `never`: switched off. */
  readonly asks: 'renegotiation' | 'handshake' | 'never';
  readonly mappings: readonly {
    /** The certificate that signed the client's; Windows keeps its thumbprint. */
    readonly issuerPem: string;
    /** Compared with the UPN; one `*` at its beginning or its end stands for anything. */
    readonly subject: string;
    /** Account of the host. */
    readonly user: string;
  }[];
}

/** What goes wrong with one request. `before`: the server has not acted yet. */
export type Mishap =
  | { readonly kind: 'reset' | 'reset_after' | 'hang' | 'drop_shell' | 'forget_session' }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  | { readonly kind: 'fault'; readonly fault: ServiceFault }
  /** The plain envelope is changed before it is sealed. */
  | { readonly kind: 'answer'; readonly change: (envelope: string) => string }
  /** The bytes of the HTTP body are changed, and the type if it is given. */
  | { readonly kind: 'body'; readonly change: (body: Buffer) => Buffer; readonly contentType?: string }
  /** The answer comes a byte at a time, with this pause. */
  | { readonly kind: 'drip'; readonly pauseMs: number };

export interface WinRmServerOptions {
  readonly users: readonly NtlmUser[];
  readonly handler: CommandHandler;
  readonly tls?: { readonly certPem: string; readonly keyPem: string };
  /** With `tls` only. */
  readonly certificates?: CertificateLogons;
  /** Default strict. */
  readonly channelBinding?: 'none' | 'relaxed' | 'strict';
  /** Schemes in `WWW-Authenticate`; default Negotiate. */
  readonly offer?: readonly string[];
  readonly withholdFlags?: number;
  readonly withholdTargetInfo?: boolean;
  readonly maxShellsPerUser?: number;
  readonly chunkBytes?: number;
  /** Default 127.0.0.1; each address is a host of its own to whoever counts sessions. */
  readonly host?: '::1' | `127.0.0.${number}`;
  /** Headers of every answer, a proxy's for instance. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Called for each request of the shell service, with how often this operation came; null lets it pass. */
  readonly mishap?: (operation: Operation, nth: number) => Mishap | null;
  /** Default 0: a free port. */
  readonly port?: number;
}

export interface WinRmServer {
  readonly port: number;
  readonly liveShells: number;
  /** By operation. */
  readonly operations: Readonly<Record<string, number>>;
  readonly logons: number;
  readonly refusedLogons: number;
  readonly connections: number;
  /** Why the last logon was refused. */
  readonly lastRefusal: string;
  /** Bodies that came in, as they were on the wire. */
  readonly lastBody: Buffer;
  dropShells(): void;
  /** Resets every connection. */
  reset(): void;
  close(): Promise<void>;
}

const SOAP_TYPE = 'application/soap+xml;charset=UTF-8';
const MUTUAL_TLS = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual';
const PROTOCOL = 'application/HTTP-SPNEGO-session-encrypted';

interface SocketState {
  acceptor: NtlmAcceptor | null;
  user: string | null;
}

export async function startWinRmServer(o: WinRmServerOptions): Promise<WinRmServer> {
  const service = new ShellService(o.handler, {
    maxShellsPerUser: o.maxShellsPerUser ?? 30,
    chunkBytes: o.chunkBytes ?? 65_536,
  });
  const sockets = new Map<Socket, SocketState>();
  const counts = { operations: {} as Record<string, number>, logons: 0, refused: 0, connections: 0 };
  let lastRefusal = '';
  let lastBody: Buffer = Buffer.alloc(0);
  const binding = o.tls === undefined ? null : endPointOf(o.tls.certPem);

  const newAcceptor = (): NtlmAcceptor =>
    new NtlmAcceptor({
      users: o.users,
      channelBinding: binding,
      policy: o.channelBinding ?? 'strict',
      ...(o.withholdFlags === undefined ? {} : { withholdFlags: o.withholdFlags }),
      ...(o.withholdTargetInfo === undefined ? {} : { withholdTargetInfo: o.withholdTargetInfo }),
    });

  const reply = (
    response: ServerResponse,
    status: number,
    headers: Record<string, string | string[]>,
    body: Buffer = Buffer.alloc(0),
  ): void => {
    response.writeHead(status, { ...o.headers, ...headers, 'content-length': String(body.length) });
    response.end(body);
  };

  const challenge = (response: ServerResponse, state: SocketState): void => {
    state.user = null;
    state.acceptor = null;
    reply(response, 401, { 'www-authenticate': [...(o.offer ?? ['Negotiate'])] });
  };

  /** True when the request may go on. */
  const authenticated = (header: string, socket: Socket, state: SocketState, response: ServerResponse): boolean => {
    const [scheme = '', value = ''] = header.split(' ');
    const token = Buffer.from(value, 'base64');
    if (scheme === 'Basic' && o.offer?.includes('Basic') === true && o.tls !== undefined) {
      const known = o.users.find((u) => `${u.user}:${u.password}` === token.toString('utf8'));
      if (known !== undefined) {
        state.user = known.user;
        return true;
      }
      counts.refused += 1;
    } else if (header === MUTUAL_TLS && o.certificates !== undefined) {
      const { user, refusal } = mappedUser(socket as TLSSocket, o.certificates);
      if (user !== null) {
        if (state.user === null) counts.logons += 1;
        state.user = user;
        return true;
      }
      counts.refused += 1;
      lastRefusal = refusal;
    } else if (scheme === 'Negotiate' && (o.offer ?? ['Negotiate']).includes('Negotiate')) {
      const fresh = newAcceptor();
      const answer = fresh.challenge(token);
      if (answer !== null) {
        state.acceptor = fresh;
        reply(response, 401, { 'www-authenticate': `Negotiate ${answer.toString('base64')}` });
        return false;
      }
      if (state.acceptor?.authenticate(token) === true) {
        counts.logons += 1;
        state.user = state.acceptor.user!.user;
        return true;
      }
      counts.refused += 1;
      lastRefusal = state.acceptor?.refusal ?? 'no challenge before';
    }
    challenge(response, state);
    return false;
  };

  const onRequest = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const state = sockets.get(request.socket)!;
    const { authorization } = request.headers;
    if (authorization === MUTUAL_TLS && o.certificates?.asks === 'renegotiation' && state.user === null) {
      await askForCertificate(request.socket as TLSSocket);
    }
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    const body = Buffer.concat(parts);
    if (body.length > 0) lastBody = body;
    if (authorization !== undefined && !authenticated(authorization, request.socket, state, response)) return;
    if (request.method !== 'POST' || request.url !== '/wsman') return reply(response, 404, {});
    if (state.user === null) return challenge(response, state);
    if (body.length === 0) return reply(response, 200, {});
    const sealed = (request.headers['content-type'] ?? '').startsWith('multipart/encrypted');
    // Plain SOAP over plain HTTP is refused the way Windows does it.
    if (!sealed && o.tls === undefined) return reply(response, 500, {});
    await answerSoap(request.socket, state, sealed, body, response);
  };

  const answerSoap = async (
    socket: Socket,
    state: SocketState,
    sealed: boolean,
    body: Buffer,
    response: ServerResponse,
  ): Promise<void> => {
    let shellRequest: ShellRequest;
    try {
      shellRequest = readRequest(sealed ? openBody(body, state.acceptor!) : body);
    } catch (error) {
      lastRefusal = String(error);
      return reply(response, 400, {});
    }
    const { operation } = shellRequest;
    const nth = (counts.operations[operation] ?? 0) + 1;
    counts.operations[operation] = nth;
    const mishap = o.mishap?.(operation, nth) ?? null;
    if (mishap?.kind === 'reset') return void socket.resetAndDestroy();
    if (mishap?.kind === 'hang') return;
    if (mishap?.kind === 'status')
      return reply(response, mishap.status, { ...mishap.headers }, Buffer.from(mishap.body ?? ''));
    if (mishap?.kind === 'forget_session') {
      state.user = null;
      state.acceptor = null;
      return reply(response, 400, {});
    }
    if (mishap?.kind === 'drop_shell') service.dropShells(shellRequest.shellId);
    let status = 200;
    let envelope: Buffer;
    try {
      if (mishap?.kind === 'fault') throw new Fault(mishap.fault);
      envelope = writeAnswer(shellRequest, await service.carryOut(shellRequest, state.user!));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      status = 500;
      envelope = writeFault(error.fault, shellRequest.messageId);
    }
    if (mishap?.kind === 'reset_after') return void socket.resetAndDestroy();
    if (socket.destroyed) return;
    if (mishap?.kind === 'answer') envelope = Buffer.from(mishap.change(envelope.toString('utf8')));
    let out = sealed ? sealBody(envelope, state.acceptor!) : envelope;
    let type = sealed ? `multipart/encrypted;protocol="${PROTOCOL}";boundary="Encrypted Boundary"` : SOAP_TYPE;
    if (mishap?.kind === 'body') {
      out = mishap.change(out);
      type = mishap.contentType ?? type;
    }
    if (mishap?.kind === 'drip') return drip(response, out, type, mishap.pauseMs);
    reply(response, status, { 'content-type': type }, out);
  };

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    onRequest(request, response).catch((error: unknown) => {
      lastRefusal = String(error);
      request.socket.destroy();
    });
  };
  const server =
    o.tls === undefined
      ? createHttp(listener)
      : createHttps({ cert: o.tls.certPem, key: o.tls.keyPem, ...askingFor(o.certificates) }, listener);
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.on(o.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    counts.connections += 1;
    sockets.set(socket, { acceptor: null, user: null });
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(o.port ?? 0, o.host ?? '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    port,
    get liveShells() {
      return service.liveShells;
    },
    operations: counts.operations,
    get logons() {
      return counts.logons;
    },
    get refusedLogons() {
      return counts.refused;
    },
    get connections() {
      return counts.connections;
    },
    get lastRefusal() {
      return lastRefusal;
    },
    get lastBody() {
      return lastBody;
    },
    dropShells: () => service.dropShells(),
    reset: () => {
      for (const socket of sockets.keys()) socket.resetAndDestroy();
    },
    async close() {
      service.dropShells();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What the TLS side has to be told of client certificates. Whoever shows a bad one is told by HTTP, as by WinRM. */
function askingFor(certificates: CertificateLogons | undefined): TlsOptions {
  if (certificates === undefined) return {};
  return {
    ca: certificates.caPem,
    requestCert: certificates.asks === 'handshake',
    rejectUnauthorized: false,
    // An abbreviated handshake would not ask.
    secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
  };
}

/** Rejects in TLS 1.3, which knows no renegotiation. */
function askForCertificate(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const began = socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, (error) =>
      error === null ? resolve() : reject(error),
    );
    if (began === false) reject(new Error('no renegotiation'));
  });
}

/** The account of the first mapping that fits the certificate of this connection, or why there is none. */
function mappedUser(
  socket: TLSSocket,
  { mappings }: CertificateLogons,
): { readonly user: string | null; readonly refusal: string } {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { user: null, refusal: 'no certificate' };
  if (!socket.authorized) return { user: null, refusal: `untrusted certificate: ${String(socket.authorizationError)}` };
  const upn = /\bUPN:([^,]+)/.exec(certificate.subjectAltName ?? '')?.[1] ?? '';
  const found = mappings.find(({ issuerPem, subject }) => {
    const issuer = new X509Certificate(issuerPem);
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey) && subjectFits(subject, upn);
  });
  return found === undefined ? { user: null, refusal: 'no mapping' } : { user: found.user, refusal: '' };
}

function subjectFits(pattern: string, upn: string): boolean {
  if (pattern.startsWith('*')) return upn.endsWith(pattern.slice(1));
  return pattern.endsWith('*') ? upn.startsWith(pattern.slice(0, -1)) : pattern === upn;
}

/** RFC 5929, section 4.1, for the certificates of these tests (SHA-256). */
function endPointOf(certPem: string): Buffer {
  const digest = createHash('sha256').update(new X509Certificate(certPem).raw).digest();
  return Buffer.concat([Buffer.from('tls-server-end-point:'), digest]);
}

/** multipart/encrypted of MS-WSMV 2.2.9.1, read strictly. */
function openBody(body: Buffer, acceptor: NtlmAcceptor): Buffer {
  const text = body.toString('latin1');
  const head =
    /^--Encrypted Boundary\r\nContent-Type: application\/HTTP-SPNEGO-session-encrypted\r\nOriginalContent: type=application\/soap\+xml;charset=UTF-8;Length=(\d+)\r\n--Encrypted Boundary\r\nContent-Type: application\/octet-stream\r\n/.exec(
      text,
    );
  if (head === null || !text.endsWith('--Encrypted Boundary--\r\n')) throw new Error('no sealed body');
  const payload = body.subarray(head[0].length, body.length - '--Encrypted Boundary--\r\n'.length);
  if (payload.readUInt32LE() !== 16) throw new Error('a signature of another length');
  const plain = acceptor.unseal(payload.subarray(4, 20), payload.subarray(20));
  if (plain.length !== Number(head[1])) throw new Error('a wrong Length');
  return plain;
}

/** With the tabs that Windows writes. */
function sealBody(envelope: Buffer, acceptor: NtlmAcceptor): Buffer {
  const { signature, sealed } = acceptor.seal(envelope);
  const head =
    `--Encrypted Boundary\r\n\tContent-Type: ${PROTOCOL}\r\n` +
    `\tOriginalContent: type=${SOAP_TYPE};Length=${envelope.length}\r\n` +
    '--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n';
  const length = Buffer.from([signature.length, 0, 0, 0]);
  return Buffer.concat([Buffer.from(head), length, signature, sealed, Buffer.from('--Encrypted Boundary--\r\n')]);
}

function drip(response: ServerResponse, body: Buffer, type: string, pauseMs: number): void {
  response.writeHead(200, { 'content-type': type, 'content-length': String(body.length) });
  let at = 0;
  const timer = setInterval(() => {
    if (at >= body.length || response.destroyed) {
      clearInterval(timer);
      response.end();
    } else {
      response.write(body.subarray(at, at + 1));
      at += 1;
    }
  }, pauseMs);
}
