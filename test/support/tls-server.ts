// Real TLS servers on loopback for tests, honest and hostile ones.
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTls, type TLSSocket, type TlsOptions } from 'node:tls';
import type { IssuedCertificate } from './test-ca.ts';

export interface RunningServer {
  readonly port: number;
  /** TCP connections accepted so far. */
  connections(): number;
  /** Resets every open TCP connection (RST, not FIN). */
  reset(): void;
  close(): Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

/** An HTTPS server that hands each request over with its whole body. */
export async function startHttpsServer(
  identity: IssuedCertificate,
  handler: Handler,
  options: TlsOptions & { keepAliveTimeoutMs?: number } = {},
): Promise<RunningServer> {
  const server = createHttps({ cert: identity.certPem, key: identity.keyPem, ...options }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => handler(request, response, Buffer.concat(chunks)));
    request.on('error', () => response.destroy());
  });
  server.keepAliveTimeout = options.keepAliveTimeoutMs ?? 60_000;
  return running(server);
}

/** A TLS server that writes whatever the test wants: for broken HTTP. */
export async function startTlsServer(
  identity: IssuedCertificate,
  onSocket: (socket: TLSSocket) => void,
  options: TlsOptions = {},
): Promise<RunningServer> {
  const server = createTls({ cert: identity.certPem, key: identity.keyPem, ...options }, (socket) => {
    socket.on('error', () => socket.destroy());
    onSocket(socket);
  });
  return running(server);
}

/** A TCP server without TLS. */
export async function startTcpServer(onSocket: (socket: Socket) => void): Promise<RunningServer> {
  return running(createTcp(onSocket));
}

async function running(server: Server | HttpsServer): Promise<RunningServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => accepted,
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
