import { describe, expect, it } from 'vitest';
import type { LookupFunction } from 'node:net';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';
import { makeTestCa } from '../../support/test-ca.ts';
import { startHttpsServer, startTcpServer } from '../../support/tls-server.ts';
import { answering, ca, clientFor, get, identity, otherCa, SPARE_PIN, track } from './client-lab.ts';

/** Answers later, as a name server does. */
const answersWith =
  (address: string): LookupFunction =>
  (_name, options, done) =>
    void setImmediate(() => {
      if (options.all === true) done(null, [{ address, family: 4 }]);
      else done(null, address, 4);
    });

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
