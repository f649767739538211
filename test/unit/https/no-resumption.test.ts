// TLS sessions are not resumed: a resumed one would skip the certificate, and so the chain and the pin.
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from 'node:tls';
import { createHttpsClient } from '../../../agent/https/client.ts';
import { makeCentral, type TestCentral } from '../../support/central-process.ts';
import { makeTestCa } from '../../support/test-ca.ts';

describe('the https client', () => {
  it('resumes no session although the server offers tickets: each connection is a full handshake', async () => {
    const ca = await makeTestCa();
    const { certPem, keyPem } = await ca.issueServer();
    const reused: boolean[] = [];
    const server = createServer({ cert: certPem, key: keyPem }, (_request, response) => {
      response.setHeader('connection', 'close');
      response.end('ok');
    });
    server.on('secureConnection', (socket: TLSSocket) => reused.push(socket.isSessionReused()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = createHttpsClient({
      baseUrl: `https://127.0.0.1:${port}`,
      caPem: ca.caPem,
      caPins: [ca.caPin, 'f'.repeat(64)],
    });
    for (let i = 0; i < 3; i += 1) {
      await client.request({ method: 'GET', path: '/', deadlineMs: 20_000, maxResponseBytes: 100 });
    }
    expect(reused).toEqual([false, false, false]);
    // The server does resume for a client that asks: the one above did not.
    const session = await sessionOf(port, ca.caPem);
    expect(await resumes(port, ca.caPem, session)).toBe(true);
    await client.close();
    server.closeAllConnections();
    server.close();
  });
});

describe('Central Command', () => {
  let central: TestCentral;
  beforeAll(async () => {
    central = await makeCentral();
  });
  afterAll(async () => central.remove());

  it('resumes no session, whatever it gave out', async () => {
    const { url } = await central.serve();
    const port = Number(new URL(url).port);
    const sessions: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', ca: central.caPem, servername: 'localhost' });
    socket.on('session', (given: Buffer) => sessions.push(given));
    await once(socket, 'secureConnect');
    // An answer is read to its end: tickets come before it, if any come.
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    for (const session of sessions) expect(await resumes(port, central.caPem, session)).toBe(false);
  });
});

async function sessionOf(port: number, ca: string): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', ca, servername: 'localhost' });
  const given = once(socket, 'session');
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  socket.resume();
  const [session] = (await given) as [Buffer];
  if (!socket.closed) await once(socket, 'close');
  return session;
}

async function resumes(port: number, ca: string, session: Buffer): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1', ca, servername: 'localhost', session });
  await once(socket, 'secureConnect');
  const reused = socket.isSessionReused();
  socket.destroy();
  return reused;
}
