import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from 'node:net';
import type { AddressInfo, LookupFunction } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { createHttpsClient, type HttpsClient, type HttpsClientOptions } from '../../../agent/https/client.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';
import { makeTestCa, type IssuedCertificate, type TestCa } from '../../support/test-ca.ts';
import { startHttpsServer, startTcpServer, startTlsServer, type RunningServer } from '../../support/tls-server.ts';

const SPARE_PIN = 'f'.repeat(64);
/** Long enough for anything that is expected to answer. */
const DEADLINE_MS = 5_000;
/** For servers that never do. */
const SHORT_MS = 600;

let ca: TestCa;
let otherCa: TestCa;
let identity: IssuedCertificate;
const open: (HttpsClient | RunningServer)[] = [];

beforeAll(async () => {
  ca = await makeTestCa();
  otherCa = await makeTestCa({ name: 'Other CA' });
  identity = await ca.issueServer();
});
afterEach(async () => {
  for (const item of open.splice(0)) await item.close();
});

function track<T extends HttpsClient | RunningServer>(item: T): T {
  open.push(item);
  return item;
}

/** Answers later, as a name server does. */
const answersWith =
  (address: string): LookupFunction =>
  (_name, options, done) =>
    void setImmediate(() => {
      if (options.all === true) done(null, [{ address, family: 4 }]);
      else done(null, address, 4);
    });

function clientFor(port: number, o: Partial<HttpsClientOptions> & { hostname?: string } = {}): HttpsClient {
  const { hostname = '127.0.0.1', ...options } = o;
  return track(
    createHttpsClient({
      baseUrl: `https://${hostname}:${port}`,
      caPem: ca.caPem,
      caPins: [ca.caPin, SPARE_PIN],
      ...options,
    }),
  );
}

const get = (client: HttpsClient, deadlineMs = DEADLINE_MS) =>
  client.request({ method: 'GET', path: '/', deadlineMs, maxResponseBytes: 1_000 });

async function answering(server: IssuedCertificate = identity, options: TlsOptions = {}): Promise<RunningServer> {
  return track(await startHttpsServer(server, (_request, response) => response.end('ok'), options));
}

describe('https client: who may answer', () => {
  it('takes an answer of a server whose CA is given and pinned', async () => {
    const server = await answering();
    const response = await get(clientFor(server.port));
    expect([response.status, response.body.toString()]).toEqual([200, 'ok']);
  });

  it('takes a chain through a subordinate CA to the pinned root', async () => {
    const sub = await ca.issueCa('Sub CA');
    const leaf = await sub.issueServer();
    const server = await answering({ certPem: leaf.certPem + sub.caPem, keyPem: leaf.keyPem });
    expect((await get(clientFor(server.port))).status).toBe(200);
  });

  it('takes a chain whose pinned key is that of the subordinate CA', async () => {
    const sub = await ca.issueCa('Sub CA');
    const leaf = await sub.issueServer();
    const server = await answering({ certPem: leaf.certPem + sub.caPem, keyPem: leaf.keyPem });
    const client = clientFor(server.port, { caPem: ca.caPem + sub.caPem, caPins: [sub.caPin, SPARE_PIN] });
    expect((await get(client)).status).toBe(200);
  });

  it('refuses a server certificate of a CA that it was not given', async () => {
    const server = await answering(await otherCa.issueServer());
    await expectCodeAsync(get(clientFor(server.port)), 'tls_untrusted');
  });

  it('refuses a self-signed server certificate', async () => {
    const own = await makeTestCa({ name: 'localhost' });
    const server = await answering({ certPem: own.caPem, keyPem: own.caKeyPem });
    await expectCodeAsync(get(clientFor(server.port)), 'tls_untrusted');
  });

  it('refuses a trusted CA whose key is not pinned', async () => {
    const server = await answering(await otherCa.issueServer());
    await expectCodeAsync(get(clientFor(server.port, { caPem: ca.caPem + otherCa.caPem })), 'tls_pin_mismatch');
  });

  it('refuses a chain of an unpinned CA that only carries the pinned CA certificate along', async () => {
    const leaf = await otherCa.issueServer();
    const server = await answering({ certPem: leaf.certPem + ca.caPem, keyPem: leaf.keyPem });
    await expectCodeAsync(get(clientFor(server.port, { caPem: ca.caPem + otherCa.caPem })), 'tls_pin_mismatch');
  });

  it('refuses an unpinned CA that has the same name as the pinned one', async () => {
    const twin = await makeTestCa();
    const server = await answering(await twin.issueServer());
    await expectCodeAsync(get(clientFor(server.port, { caPem: twin.caPem + ca.caPem })), 'tls_pin_mismatch');
  });

  it('refuses a CA file without any pinned key before it connects', () => {
    expectCode(() => clientFor(1, { caPins: [SPARE_PIN, 'e'.repeat(64)] }), 'tls_pin_mismatch');
  });

  it('refuses a CA file that cannot be read, and a client key that is not that of the certificate', async () => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    expectCode(() => clientFor(1, { caPem: broken }), 'tls_untrusted');
    const [one, other] = [await ca.issueClient({ cn: 'one' }), await ca.issueClient({ cn: 'other' })];
    const clientCert = { certPem: one.certPem, keyPem: other.keyPem };
    expectCode(() => clientFor(1, { clientCert }), 'key_malformed');
  });

  it('uses no proxy, also where the environment names one', async () => {
    const server = await answering();
    const before = process.env['HTTPS_PROXY'];
    process.env['HTTPS_PROXY'] = 'http://127.0.0.1:1';
    try {
      expect((await get(clientFor(server.port))).status).toBe(200);
    } finally {
      if (before === undefined) delete process.env['HTTPS_PROXY'];
      else process.env['HTTPS_PROXY'] = before;
    }
  });

  it.each([
    ['0.0.0.0', 'central.example'],
    ['127.0.0.1', 'central.example'],
  ])(
    'names a DNS filter that answers %s in the place of the right address, whatever listens there',
    async (address, name) => {
      const server = await answering(await otherCa.issueServer());
      const lookup = answersWith(address);
      await expectCodeAsync(get(clientFor(server.port, { hostname: name, lookup })), 'dns_filtered');
    },
  );

  it('takes no address for one of a filter where the connection succeeds', async () => {
    const server = await answering(await ca.issueServer({ names: ['central.example'] }));
    const lookup = answersWith('127.0.0.1');
    expect((await get(clientFor(server.port, { hostname: 'central.example', lookup }))).status).toBe(200);
  });

  it('refuses a certificate for another name', async () => {
    const server = await answering(await ca.issueServer({ names: ['elsewhere.example'], ips: ['192.0.2.1'] }));
    await expectCodeAsync(get(clientFor(server.port)), 'tls_name_mismatch');
  });

  it('refuses an expired certificate', async () => {
    const days = (n: number): Date => new Date(Date.now() + n * 86_400_000);
    const server = await answering(await ca.issueServer({ notBefore: days(-3), notAfter: days(-1) }));
    await expectCodeAsync(get(clientFor(server.port)), 'tls_date_invalid');
  });

  it('refuses a certificate that is not valid yet, as a clock three years behind sees it', async () => {
    const days = (n: number): Date => new Date(Date.now() + n * 86_400_000);
    const server = await answering(await ca.issueServer({ notBefore: days(3 * 365), notAfter: days(4 * 365) }));
    await expectCodeAsync(get(clientFor(server.port)), 'tls_date_invalid');
  });

  it('refuses a client certificate in the place of a server certificate', async () => {
    const server = await answering(await ca.issueClient({ cn: 'localhost' }));
    const error = await expectCodeAsync(get(clientFor(server.port)), 'tls_untrusted');
    expect(error.details['native']).toBe('INVALID_PURPOSE');
  });

  it('refuses a server that speaks TLS 1.2 at most', async () => {
    const server = await answering(identity, { maxVersion: 'TLSv1.2' });
    await expectCodeAsync(get(clientFor(server.port)), 'tls_failed');
  });

  it('keeps refusing when NODE_TLS_REJECT_UNAUTHORIZED=0 stands in the environment', async () => {
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      const server = await answering(await otherCa.issueServer());
      await expectCodeAsync(get(clientFor(server.port)), 'tls_untrusted');
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    }
  });

  it('checks chain and pin anew on each connection, so that a session ticket of an honest moment opens nothing', async () => {
    const server = track(
      await startHttpsServer(identity, (_request, response) => {
        response.setHeader('connection', 'close');
        response.end('ok');
      }),
    );
    const client = clientFor(server.port);
    await get(client);
    await get(client);
    expect(server.connections()).toBe(2);
  });

  it('presents its client certificate', async () => {
    let seen: string | undefined;
    const server = track(
      await startHttpsServer(
        identity,
        (request, response) => {
          seen = (request.socket as import('node:tls').TLSSocket).getPeerCertificate().subject.CN as string;
          response.end('ok');
        },
        { ca: [ca.caPem], requestCert: true, rejectUnauthorized: true },
      ),
    );
    const { certPem, keyPem } = await ca.issueClient({ cn: 'box-17' });
    await get(clientFor(server.port, { clientCert: { certPem, keyPem } }));
    expect(seen).toBe('box-17');
  });
});

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

describe('https client: one kept connection', () => {
  it('sends one request after the other on one connection', async () => {
    const server = await answering();
    const client = clientFor(server.port);
    for (let i = 0; i < 5; i++) await get(client);
    expect(server.connections()).toBe(1);
  });

  it('does not let a hanging upload hold up a check-in', async () => {
    const server = track(
      await startHttpsServer(identity, (request, response) => {
        if (request.url === '/') response.end('ok');
      }),
    );
    const client = clientFor(server.port);
    const stop = new AbortController();
    const upload = client.request({
      method: 'POST',
      path: '/hangs',
      body: Buffer.alloc(10),
      deadlineMs: 60_000,
      maxResponseBytes: 10,
      lane: 'bulk',
      signal: stop.signal,
    });
    expect((await get(client)).status).toBe(200);
    stop.abort();
    await expectCodeAsync(upload, 'request_aborted');
  });

  it('counts the bytes that really crossed the wire', async () => {
    const upstream = await answering();
    const wire = { sent: 0, received: 0 };
    const { connect } = await import('node:net');
    const tap = track(
      await startTcpServer((socket) => {
        const onward = connect(upstream.port, '127.0.0.1');
        socket.on('data', (d) => void ((wire.sent += d.length), onward.write(d)));
        onward.on('data', (d) => void ((wire.received += d.length), socket.write(d)));
        socket.on('close', () => onward.destroy());
        onward.on('error', () => socket.destroy());
      }),
    );
    const client = clientFor(tap.port);
    let counted = { sent: 0, received: 0 };
    for (let i = 0; i < 3; i++) {
      const { bytesSent, bytesReceived } = await get(client);
      counted = { sent: counted.sent + bytesSent, received: counted.received + bytesReceived };
    }
    expect(counted).toEqual(wire);
    expect(counted.sent).toBeGreaterThan(300);
  });

  it('counts the bytes of a failed request too', async () => {
    const server = await answering(await otherCa.issueServer());
    const error = await expectCodeAsync(get(clientFor(server.port)), 'tls_untrusted');
    expect(error.details['bytes_sent'] as number).toBeGreaterThan(100);
    expect(error.details['bytes_received'] as number).toBeGreaterThan(100);
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
