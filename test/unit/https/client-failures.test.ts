import { describe, expect, it } from 'vitest';
import { createServer } from 'node:net';
import type { AddressInfo, LookupFunction } from 'node:net';
import { createHttpsClient } from '../../../agent/https/client.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';
import { startHttpsServer, startTcpServer, startTlsServer, type RunningServer } from '../../support/tls-server.ts';
import { answering, ca, clientFor, get, identity, track } from './client-lab.ts';

/** For servers that never answer. */
const SHORT_MS = 600;

describe('https client: what may go wrong on the way', () => {
  it('names a host name that does not resolve', async () => {
    await expectCodeAsync(get(clientFor(1, { hostname: 'central.invalid' })), 'dns_failed');
  });

  it('gives up on a name server that never answers at the deadline', async () => {
    const never: LookupFunction = () => undefined;
    const error = await expectCodeAsync(
      get(clientFor(1, { hostname: 'central.example', lookup: never }), SHORT_MS),
      'request_timeout',
    );
    expect(error.details['phase']).toBe('resolve');
  });

  it('names a refused port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await expectCodeAsync(get(clientFor(port)), 'connect_refused');
  });

  it('reaches the address that works when the other family is broken', async () => {
    const server = await answering();
    const both: LookupFunction = (_name, _options, callback) =>
      (callback as (e: null, a: { address: string; family: number }[]) => void)(null, [
        { address: '100::1', family: 6 },
        { address: '127.0.0.1', family: 4 },
      ]);
    expect((await get(clientFor(server.port, { hostname: 'localhost', lookup: both }))).status).toBe(200);
  });

  it('names a port that speaks plain HTTP', async () => {
    const server = track(await startTcpServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    await expectCodeAsync(get(clientFor(server.port)), 'tls_failed');
  });

  it('names a connection that is cut in the handshake, as a filter does', async () => {
    const server = track(await startTcpServer((socket) => socket.once('data', () => socket.resetAndDestroy())));
    await expectCodeAsync(get(clientFor(server.port)), 'tls_failed');
  });

  it('gives up on a port that accepts and then says nothing', async () => {
    const server = track(await startTcpServer(() => undefined));
    const error = await expectCodeAsync(get(clientFor(server.port), SHORT_MS), 'request_timeout');
    expect(error.details['phase']).toBe('handshake');
  });

  it('gives up on a server that never answers a request', async () => {
    const server = track(await startTlsServer(identity, (socket) => socket.resume()));
    const error = await expectCodeAsync(get(clientFor(server.port), SHORT_MS), 'request_timeout');
    expect(error.details['phase']).toBe('request');
  });

  it('gives up on a server that sends its head one byte at a time', async () => {
    const server = track(
      await startTlsServer(identity, (socket) => drip(socket, 'HTTP/1.1 200 OK\r\nx-a: '.repeat(50))),
    );
    await expectCodeAsync(get(clientFor(server.port), SHORT_MS), 'request_timeout');
  });

  it('gives up on a server that sends its body one byte at a time', async () => {
    const server = track(
      await startTlsServer(identity, (socket) => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n');
        drip(socket, 'x'.repeat(900));
      }),
    );
    const error = await expectCodeAsync(get(clientFor(server.port), SHORT_MS), 'request_timeout');
    expect(error.details['phase']).toBe('body');
  });

  it('uses a fresh connection after a timeout', async () => {
    let silent = true;
    const server = track(
      await startHttpsServer(identity, (_request, response) => {
        if (silent) silent = false;
        else response.end('ok');
      }),
    );
    const client = clientFor(server.port);
    await expectCodeAsync(get(client, SHORT_MS), 'request_timeout');
    expect((await get(client)).status).toBe(200);
    expect(server.connections()).toBe(2);
  });

  it('refuses an answer that ends after half of its body', async () => {
    const server = track(
      await startTlsServer(identity, (socket) =>
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')),
      ),
    );
    await expectCodeAsync(get(clientFor(server.port)), 'response_truncated');
  });

  it('refuses a chunked answer whose last chunk never comes', async () => {
    const server = track(
      await startTlsServer(identity, (socket) =>
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n')),
      ),
    );
    await expectCodeAsync(get(clientFor(server.port)), 'response_truncated');
  });

  it('refuses an answer whose connection is reset in the body', async () => {
    const server: RunningServer = track(
      await startHttpsServer(identity, (_request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half', () => server.reset());
      }),
    );
    await expectCodeAsync(get(clientFor(server.port)), 'response_truncated');
  });

  it('refuses a connection that closes before any answer', async () => {
    const server = track(await startTlsServer(identity, (socket) => socket.once('data', () => socket.end())));
    await expectCodeAsync(get(clientFor(server.port)), 'response_truncated');
  });

  it('refuses 10 MB where 1 kB is expected, announced or not', async () => {
    const large = Buffer.alloc(10_000_000);
    for (const headers of [{ 'content-length': String(large.length) }, { 'transfer-encoding': 'chunked' }]) {
      const server = track(
        await startHttpsServer(identity, (_request, response) => {
          response.writeHead(200, headers);
          response.end(large);
        }),
      );
      const error = await expectCodeAsync(get(clientFor(server.port)), 'response_too_large');
      // Not read to its end: the socket's buffers are all that came.
      expect(error.details['bytes_received'] as number).toBeLessThan(5_000_000);
    }
  });

  it('refuses a head of 64 kB', async () => {
    const server = track(
      await startTlsServer(identity, (socket) =>
        socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\nx-large: ${'x'.repeat(65_536)}\r\n\r\n`)),
      ),
    );
    await expectCodeAsync(get(clientFor(server.port)), 'response_too_large');
  });

  it('refuses bytes that are not HTTP', async () => {
    const server = track(
      await startTlsServer(identity, (socket) => socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.9\r\n'))),
    );
    await expectCodeAsync(get(clientFor(server.port)), 'response_not_expected');
  });

  it('does not follow a redirect', async () => {
    let asked = 0;
    const server = track(
      await startHttpsServer(identity, (_request, response) => {
        asked += 1;
        response.writeHead(302, { location: '/elsewhere' });
        response.end();
      }),
    );
    expect((await get(clientFor(server.port))).status).toBe(302);
    expect(asked).toBe(1);
  });

  it('ends at once when its caller stops', async () => {
    const server = track(await startTlsServer(identity, (socket) => socket.resume()));
    const stop = new AbortController();
    const request = clientFor(server.port).request({
      method: 'GET',
      path: '/',
      deadlineMs: 60_000,
      maxResponseBytes: 10,
      signal: stop.signal,
    });
    stop.abort();
    await expectCodeAsync(request, 'request_aborted');
  });

  it('refuses a base address that is not plain https', () => {
    for (const baseUrl of [
      'http://127.0.0.1:8443',
      'https://user@127.0.0.1',
      'https://127.0.0.1/path',
      'https://127.0.0.1?x=1',
      'ftp://127.0.0.1',
      'central',
      '',
    ]) {
      expectCode(() => createHttpsClient({ baseUrl, caPem: ca.caPem, caPins: [ca.caPin] }), 'url_invalid');
    }
  });
});

function drip(socket: import('node:tls').TLSSocket, text: string): void {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || at >= text.length) clearInterval(timer);
    else socket.write(text[at++] as string);
  }, 20);
  socket.on('close', () => clearInterval(timer));
}
