// WinRM over HTTPS: which certificates count, what the logon is bound to, and what a plain port says.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { createHash, KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import { connect as connectTls } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TlsTrust } from '../../agent/winrm/endpoint.ts';
import type { Credentials } from '../../agent/winrm/security-context.ts';
import type { WinRmServer } from '../lab/winrm-server/start-winrm-server.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { makeTestCa, type IssuedCertificate, type TestCa } from '../support/test-ca.ts';
import { startTlsServer } from '../support/tls-server.ts';
import { echo, endpointOf, labSession, NTLM, PASSWORD, runOnce, SHORT, withServer } from '../support/winrm-lab.ts';

let ca: TestCa;
let other: TestCa;
let identity: IssuedCertificate;
let trust: TlsTrust;

beforeAll(async () => {
  [ca, other] = await Promise.all([makeTestCa(), makeTestCa({ name: 'Other CA' })]);
  identity = await ca.issueServer();
  trust = { kind: 'ca', caPem: ca.caPem };
});

const pinOf = (certPem: string): string =>
  createHash('sha256')
    .update(new X509Certificate(certPem).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');

/** What "New-SelfSignedCertificate" leaves on a server. */
async function selfSigned(): Promise<IssuedCertificate> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    keys: keys as never,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
    ],
  });
  const keyPem = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { certPem: certificate.toString('pem'), keyPem };
}

/** Runs once against a server with this certificate; nothing may have been sent where it is refused. */
async function withTls(tls: IssuedCertificate, use: (server: WinRmServer) => Promise<void>): Promise<void> {
  await withServer({ tls, channelBinding: 'strict' }, use);
}

describe('WinRM over HTTPS', () => {
  it('binds the logon to the certificate, as the host demands it', async () => {
    await withTls(identity, async (server) => {
      expect((await runOnce(endpointOf(server, trust), echo('bound'))).stdout.toString()).toBe('bound');
      expect(server).toMatchObject({ logons: 1, liveShells: 0 });
    });
  });

  it('has its logon refused behind a proxy that ends TLS, even with a certificate of the same CA', async () => {
    const proxyIdentity = await ca.issueServer();
    await withTls(identity, async (server) => {
      const proxy = await startTlsServer(proxyIdentity, (socket) => {
        const onward = connectTls({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
        for (const end of [socket, onward]) end.on('error', () => undefined);
        socket.pipe(onward).pipe(socket);
      });
      await expectCodeAsync(runOnce(endpointOf(proxy, trust)), 'winrm_logon_failed');
      expect(server).toMatchObject({ logons: 0, lastRefusal: 'wrong channel binding' });
      await proxy.close();
    });
  });

  it('sends Basic where the target says so, and names a wrong password', async () => {
    await withServer({ tls: identity, offer: ['Negotiate', 'Basic realm="WSMAN"', 'Basic'] }, async (server) => {
      const basic = (password: string): Credentials => ({
        kind: 'basic_tls',
        user: 'agent',
        password: Buffer.from(password),
      });
      const endpoint = endpointOf(server, trust);
      expect((await runOnce(endpoint, echo('basic'), basic(PASSWORD))).stdout.toString()).toBe('basic');
      await expectCodeAsync(runOnce(endpoint, echo(), basic('wrong')), 'winrm_logon_failed');
      expect(server).toMatchObject({ refusedLogons: 1, liveShells: 0 });
    });
    await withTls(identity, async (server) => {
      const basic = { kind: 'basic_tls', user: 'agent', password: Buffer.from(PASSWORD) } as const;
      await expectCodeAsync(runOnce(endpointOf(server, trust), echo(), basic), 'winrm_auth_not_offered');
    });
  });

  it('takes a self-signed or lapsed certificate whose key is pinned, and no other key', async () => {
    const lapsed = await other.issueServer({ names: ['elsewhere'], notAfter: new Date(Date.now() - 1_000) });
    await withTls(lapsed, async (server) => {
      const pinned = endpointOf(server, { kind: 'spki', pins: [pinOf(identity.certPem), pinOf(lapsed.certPem)] });
      expect((await runOnce(pinned, echo('pinned'))).stdout.toString()).toBe('pinned');
      const wrong = endpointOf(server, { kind: 'spki', pins: [pinOf(identity.certPem)] });
      const error = await expectCodeAsync(runOnce(wrong), 'winrm_pin_mismatch');
      expect(error.details).toEqual({ shown_spki_sha256: pinOf(lapsed.certPem) });
      expect(server.logons + server.refusedLogons).toBe(1);
    });
  });

  it.each([
    ['of another CA', async () => other.issueServer(), 'winrm_ca_unknown'],
    ['that signs itself', selfSigned, 'winrm_certificate_self_signed'],
    [
      'for another name',
      async () => ca.issueServer({ names: ['server2.lab.test'], ips: [] }),
      'winrm_certificate_name',
    ],
    [
      'that has expired',
      async () => ca.issueServer({ notAfter: new Date(Date.now() - 1_000) }),
      'winrm_certificate_date',
    ],
    [
      'of the future',
      async () => ca.issueServer({ notBefore: new Date(Date.now() + 86_400_000) }),
      'winrm_certificate_date',
    ],
  ] as const)('refuses a certificate %s before it sends anything', async (_, issue, code) => {
    await withTls(await issue(), async (server) => {
      await expectCodeAsync(runOnce(endpointOf(server, trust)), code);
      expect([server.logons, server.refusedLogons, server.operations]).toEqual([0, 0, {}]);
    });
  });

  it('does not take the CAs of the system for those of the site, nor the other way round', async () => {
    await withTls(identity, async (server) => {
      await expectCodeAsync(runOnce(endpointOf(server, { kind: 'system' })), 'winrm_ca_unknown');
    });
  });

  it('is refused also where the environment tells Node to trust everybody', async () => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      await withTls(await other.issueServer(), async (server) => {
        await expectCodeAsync(runOnce(endpointOf(server, trust)), 'winrm_ca_unknown');
      });
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    }
  });

  it('must be told what the certificate has to show', () => {
    const endpoint = { scheme: 'https', hostname: 'localhost', port: 5986 } as const;
    expectCode(() => labSession(endpoint), 'winrm_trust_missing');
    expectCode(() => labSession({ ...endpoint, tls: { kind: 'spki', pins: [] } }), 'winrm_trust_missing');
  });

  it('names a port that speaks plain HTTP, and one that speaks TLS where plain HTTP was asked', async () => {
    await withServer({}, async (server) => {
      await expectCodeAsync(runOnce(endpointOf(server, trust)), 'winrm_tls_not_spoken');
    });
    const strict = await startTlsServer(identity, () => undefined);
    const error = await expectCodeAsync(runOnce(endpointOf(strict), echo(), NTLM, SHORT), 'winrm_tls_expected');
    expect(error.remedy).toContain('https');
    await strict.close();
  });
});
