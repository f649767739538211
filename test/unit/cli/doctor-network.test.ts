import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CODES } from '../../../agent/errors/codes.ts';
import { STEP_IDS } from '../../../agent/cli/doctor/verdict.ts';
import { startDnsResponder, type DnsBehaviour } from '../../support/dns-responder.ts';
import { makePatient, type Examination, type ExamineOptions } from '../../support/examine.ts';
import { makeTestCa, type IssuedCertificate, type TestCa } from '../../support/test-ca.ts';
import { startHttpsServer, startTcpServer, startTlsServer, type RunningServer } from '../../support/tls-server.ts';
import type { TlsOptions } from 'node:tls';

const HOST = 'central.test';
const DAY_MS = 86_400_000;
let ca: TestCa;
let identity: IssuedCertificate;
beforeAll(async () => {
  ca = await makeTestCa({ name: 'Partner CA' });
  identity = await ca.issueServer({ names: [HOST] });
});
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** What Central Command itself says to a GET where it takes a POST. */
const asCentral = (types: Record<string, string> = {}) =>
  startHttpsServer(identity, (_request, response) => {
    response.writeHead(405, { 'content-type': 'application/problem+json', ...types });
    response.end(JSON.stringify({ type: 'about:blank', status: 405, code: 'method_not_allowed' }));
  });
const honest = (name: string, type: 'A' | 'AAAA'): DnsBehaviour =>
  name !== HOST ? { rcode: 3 } : type === 'A' ? { addresses: ['127.0.0.1'] } : {};

/** Examines an appliance whose Central Command is `HOST` at the server's port. */
async function examineAt(
  server: RunningServer,
  o: ExamineOptions & { dns?: (name: string, type: 'A' | 'AAAA') => DnsBehaviour } = {},
): Promise<Examination> {
  ends.push(() => server.close());
  const dns = await startDnsResponder(o.dns ?? honest);
  ends.push(() => dns.close());
  const patient = makePatient(`https://${HOST}:${server.port}`, ca);
  ends.push(() => patient.remove());
  return patient.examine({ resolver: dns.address, ...o });
}

async function portal(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.closeAllConnections());
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const state = (run: Examination, ...ids: (typeof STEP_IDS)[number][]) => ids.map((id) => run.step(id).state);

describe('the doctor and the network', () => {
  it('finds nothing wrong with an appliance that has its stick and a Central Command that answers', async () => {
    const run = await examineAt(await asCentral());
    expect(run.codes()).toEqual([]);
    expect(state(run, 'dns', 'dns_filter', 'tcp', 'tls', 'portal', 'central')).toEqual(Array(6).fill('ok'));
    expect(run.step('ipv6').sentence).toContain('no IPv6 address');
    expect(run.report.steps.map((one) => one.step)).toEqual([...STEP_IDS]);
  });

  describe('names', () => {
    it('says that no DNS server answers, and that all behind it needs dns', async () => {
      const run = await examineAt(await asCentral(), { dns: () => 'silent' });
      expect(run.codes()).toEqual(['dns_failed']);
      expect(run.exit).toBe(CODES.dns_failed.exit);
      expect(run.step('dns').sentence).toContain('no DNS server answers');
      for (const id of ['dns_filter', 'tcp', 'portal'] as const) expect(run.step(id).needs).toContain('dns');
      for (const id of ['tls', 'central'] as const) expect(run.step(id).state).toBe('not_looked_at');
    });

    it.each([
      ['answers that are no DNS messages', 'garbage' as const],
      ['answers with the id of another question', 'forged' as const],
    ])('takes %s for silence', async (_what, behaviour) => {
      const run = await examineAt(await asCentral(), { dns: () => behaviour });
      expect(run.codes()).toEqual(['dns_failed']);
    });

    it.each([
      ['does not exist', 3, 'does not exist'],
      ['is refused', 5, 'REFUSED'],
      ['fails at the server', 2, 'SERVFAIL'],
      ['has no address', 0, 'no address'],
    ])('says that the name %s', async (_what, rcode, words) => {
      const run = await examineAt(await asCentral(), { dns: () => ({ rcode }) });
      expect(run.codes()).toEqual(['dns_failed']);
      expect(run.step('dns').sentence).toContain(words);
      expect(run.step('tcp').needs).toContain('dns');
    });

    it.each([['0.0.0.0'], ['127.0.0.1'], ['146.112.61.106']])(
      'names a DNS filter that answers %s for a name that is none of this machine',
      async (address) => {
        const server = await asCentral();
        ends.push(() => server.close());
        const dns = await startDnsResponder((name, type) =>
          name === 'central.example' && type === 'A' ? { addresses: [address] } : { rcode: 3 },
        );
        ends.push(() => dns.close());
        const patient = makePatient(`https://central.example:${server.port}`, ca);
        ends.push(() => patient.remove());
        const run = await patient.examine({ resolver: dns.address });
        expect(run.codes()).toEqual(['dns_filtered']);
        expect(run.step('dns_filter').sentence).toContain(address);
        expect(run.step('tcp').needs).toEqual(['dns_filter']);
        expect(server.connections()).toBe(0);
      },
    );

    it('quotes the reason that a filter gives by an extended DNS error', async () => {
      const run = await examineAt(await asCentral(), {
        dns: () => ({ rcode: 3, extended: { code: 15, text: 'category: unrated' } }),
      });
      expect(run.codes()).toEqual(['dns_failed', 'dns_filtered']);
      expect(run.step('dns_filter').sentence).toContain('category: unrated');
    });

    it('finds a DNS server that answers for names that nobody has, and goes on where Central Command itself resolves', async () => {
      const run = await examineAt(await asCentral(), {
        dns: (name, type) => (name === HOST ? honest(name, type) : { addresses: ['203.0.113.9'] }),
      });
      expect(run.codes()).toEqual(['dns_rewritten']);
      expect(run.step('dns_filter').sentence).toContain('203.0.113.9');
      expect(run.step('central').state).toBe('ok');
    });

    it('finds a DNS server that answers every name with one address, and looks for a portal at it', async () => {
      const portalPort = await portal((_request, response) => {
        response.writeHead(302, { location: 'http://login.hotel.example/start' }).end();
      });
      const run = await examineAt(await asCentral(), { portalPort, dns: () => ({ addresses: ['127.0.0.1'] }) });
      expect(run.codes()).toEqual(['dns_rewritten', 'captive_portal']);
      expect(run.step('tcp').needs).toEqual(['dns_filter']);
      expect(run.step('portal').sentence).toContain('login.hotel.example');
    });

    it('follows an alias, and does not care for the case of letters', async () => {
      const run = await examineAt(await asCentral(), {
        dns: (name, type) =>
          name === HOST && type === 'A' ? { alias: 'Edge.CDN.example', addresses: ['127.0.0.1'] } : { rcode: 3 },
      });
      expect(run.codes()).toEqual([]);
    });
  });

  describe('the way', () => {
    it('says that nothing listens at the port', async () => {
      const server = await startTcpServer(() => undefined);
      const { port } = server;
      await server.close();
      const run = await examineAt({ ...server, port, close: async () => undefined });
      expect(run.codes()).toEqual(['connect_refused']);
      expect(run.step('tls').needs).toEqual(['tcp']);
      expect(run.step('central').needs).toEqual(['tls']);
    });

    it('says that IPv6 is broken where IPv4 works, and goes on', async () => {
      const run = await examineAt(await asCentral(), {
        // The server listens on IPv4 only: IPv6 to the same machine is refused.
        dns: (name, type) => (name === HOST && type === 'AAAA' ? { addresses: ['::1'] } : honest(name, type)),
      });
      const { state: ipv6, problems } = run.step('ipv6');
      // A machine without IPv6 says so at once; nothing is broken there.
      expect([ipv6, ...problems.map((p) => p.code)]).toEqual(
        run.step('ipv6').sentence.includes('has no IPv6') ? ['ok'] : ['problem', 'ipv6_broken'],
      );
      expect(run.step('central').state).toBe('ok');
    });

    it('tells of a proxy only where the direct way does not work, and never its password', async () => {
      const env = { https_proxy: 'http://user:hunter2@proxy.clinic.example:3128', NODE_TLS_REJECT_UNAUTHORIZED: '0' };
      const working = await examineAt(await asCentral(), { env });
      expect(working.codes()).toEqual([]);
      expect(working.step('proxy').sentence).toContain('proxy.clinic.example:3128');
      expect(working.step('proxy').notes.join()).toContain('NODE_TLS_REJECT_UNAUTHORIZED');
      const server = await startTcpServer(() => undefined);
      await server.close();
      const broken = await examineAt({ ...server, close: async () => undefined }, { env });
      expect(broken.codes()).toEqual(['connect_refused', 'proxy_in_the_way']);
      expect(working.text + broken.text).not.toContain('hunter2');
    });
  });

  describe('TLS', () => {
    /** A server that counts what clients send after the handshake. */
    async function counting(who: IssuedCertificate, options: TlsOptions = {}) {
      let bytes = 0;
      let certificates = 0;
      const server = await startTlsServer(
        who,
        (socket) => {
          if (Object.keys(socket.getPeerCertificate()).length > 0) certificates += 1;
          socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
        },
        { requestCert: true, rejectUnauthorized: false, ...options },
      );
      return { server, sent: () => bytes, certificates: () => certificates };
    }

    it('names the issuer of a box that opens TLS, sends it nothing, and asks Central Command nothing through it', async () => {
      const box = await makeTestCa({ name: 'FG-100 Inspection CA,O=Clinic Firewall' });
      const { server, sent, certificates } = await counting(await box.issueServer({ names: [HOST] }));
      const run = await examineAt(server);
      expect(run.codes()).toEqual(['tls_untrusted']);
      expect(run.exit).toBe(CODES.tls_untrusted.exit);
      const { sentence, problems } = run.step('tls');
      expect(sentence).toContain('"Clinic Firewall, FG-100 Inspection CA"');
      expect(sentence).toContain('"Partner CA"');
      expect(problems[0]?.remedy).toContain('Clinic Firewall');
      expect(run.step('central').needs).toEqual(['tls']);
      expect([sent(), certificates()]).toEqual([0, 0]);
    });

    it('is not fooled by a box that uses the name of our CA', async () => {
      const box = await makeTestCa({ name: 'Partner CA' });
      const { server } = await counting(await box.issueServer({ names: [HOST] }));
      expect((await examineAt(server)).codes()).toEqual(['tls_untrusted']);
    });

    it('is not fooled by a box that sends our own CA along with its certificate', async () => {
      const box = await makeTestCa({ name: 'Box' });
      const own = await box.issueServer({ names: [HOST] });
      const { server } = await counting({ ...own, certPem: own.certPem + ca.caPem });
      expect((await examineAt(server)).codes()).toEqual(['tls_untrusted']);
    });

    it('looks at the certificate of a box that speaks an older TLS only', async () => {
      const box = await makeTestCa({ name: 'Old Box' });
      const { server } = await counting(await box.issueServer({ names: [HOST] }), { maxVersion: 'TLSv1.2' });
      const run = await examineAt(server);
      expect(run.codes()).toEqual(['tls_untrusted']);
      expect(run.step('tls').sentence).toContain('"Old Box"');
    });

    it('says that the right server speaks an old TLS only', async () => {
      const { server } = await counting(identity, { maxVersion: 'TLSv1.2' });
      const run = await examineAt(server);
      expect(run.codes()).toEqual(['tls_failed']);
      expect(run.step('tls').sentence).toContain('TLSv1.2');
    });

    it('says that the certificate is for another name', async () => {
      const { server } = await counting(await ca.issueServer({ names: ['other.test'] }));
      const run = await examineAt(server);
      expect(run.codes()).toEqual(['tls_name_mismatch']);
      expect(run.step('tls').sentence).toContain('other.test');
    });

    it.each([
      ['ended', { notBefore: new Date(Date.now() - 3 * DAY_MS), notAfter: new Date(Date.now() - DAY_MS) }, 'ended on'],
      [
        'has not begun',
        { notBefore: new Date(Date.now() + DAY_MS), notAfter: new Date(Date.now() + 3 * DAY_MS) },
        'begins only on',
      ],
    ])('says that the certificate %s by this clock', async (_what, dates, words) => {
      const { server } = await counting(await ca.issueServer({ names: [HOST], ...dates }));
      const run = await examineAt(server);
      expect(run.codes()).toEqual(['tls_date_invalid']);
      expect(run.step('tls').sentence).toContain(words);
    });

    it.each([
      ['speaks plain HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'not TLS'],
      ['cuts the connection as soon as TLS begins', null, 'is cut'],
    ])('says that a server %s', async (_what, says, words) => {
      const server = await startTcpServer((socket) => {
        socket.once('data', () => (says === null ? socket.resetAndDestroy() : socket.end(says)));
      });
      const run = await examineAt(server);
      expect(run.codes()).toEqual(['tls_failed']);
      expect(run.step('tls').sentence).toContain(words);
    });

    it('says that a server takes the connection and is silent, within its deadline', async () => {
      const run = await examineAt(await startTcpServer(() => undefined));
      expect(run.codes()).toEqual(['tls_failed']);
      expect(run.step('tls').sentence).toContain('says nothing');
    });

    it('does not let text in a certificate act on the terminal', async () => {
      const box = await makeTestCa({ name: 'evil\u001b[2J\u202eCA' });
      const { server } = await counting(await box.issueServer({ names: [HOST] }));
      const run = await examineAt(server, { asText: true });
      expect(run.text).toContain('tls_untrusted');
      expect(run.text).not.toContain('\u001b');
      expect(run.text).not.toContain('\u202e');
    });
  });

  describe('a captive portal', () => {
    const closed = async (): Promise<RunningServer> =>
      startTcpServer((socket) => void socket.once('data', () => socket.resetAndDestroy()));

    it.each([
      [
        'redirects to its page',
        (_q, r) => void r.writeHead(302, { location: 'https://portal.example/login?x=1' }).end(),
        'portal.example',
      ],
      ['answers with its page', (_q, r) => void r.end('<!doctype html><title>Welcome</title>'), 'a web page'],
      ['says 511', (_q, r) => void r.writeHead(511).end('sign in'), '511'],
    ] satisfies [string, RequestListener, string][])('is found when it %s', async (_what, listener, words) => {
      const run = await examineAt(await closed(), { portalPort: await portal(listener) });
      expect(run.codes()).toEqual(['tls_failed', 'captive_portal']);
      expect(run.step('portal').sentence).toContain(words);
    });

    it.each([
      [
        'a redirect to the same host by https',
        (_q, r) => void r.writeHead(301, { location: `https://${HOST}/` }).end(),
      ],
      ['an answer that is no page', (_q, r) => void r.writeHead(404, { 'content-type': 'application/json' }).end('{}')],
      ['a page that never ends', (_q, r) => void r.writeHead(200, { 'content-type': 'text/plain' }).write('x')],
    ] satisfies [string, RequestListener][])('is not seen in %s', async (_what, listener) => {
      const run = await examineAt(await closed(), { portalPort: await portal(listener) });
      expect(run.codes()).toEqual(['tls_failed']);
    });

    it('is not asked for where the certificate of Central Command came through', async () => {
      let requests = 0;
      const portalPort = await portal((_request, response) => {
        requests += 1;
        response.end('<html>');
      });
      expect((await examineAt(await asCentral(), { portalPort })).codes()).toEqual([]);
      expect(requests).toBe(0);
    });
  });

  describe('the answer of Central Command', () => {
    const answering = (status: number, type: string, body: string) =>
      startHttpsServer(identity, (_request, response) => {
        response.writeHead(status, { 'content-type': type }).end(body);
      });

    it.each([
      ['a web page', 200, 'text/html', '<html>', 'response_not_expected'],
      [
        'a failure of the server',
        503,
        'application/problem+json',
        '{"code":"central_unavailable"}',
        'http_unavailable',
      ],
      ['a refusal by its name', 421, 'application/problem+json', '{"code":"host_unknown"}', 'http_refused'],
      ['an error of somebody in between', 403, 'text/plain', 'no', 'response_not_expected'],
    ])('is named when it is %s', async (_what, status, type, body, code) => {
      const run = await examineAt(await answering(status, type, body));
      expect(run.codes()).toEqual([code]);
      expect(run.step('tls').state).toBe('ok');
    });
  });
});

afterAll(() => expect(ends).toEqual([]));
