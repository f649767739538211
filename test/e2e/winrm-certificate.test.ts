// WinRM with a client certificate over real TLS: asked for as Windows does it, mapped to an account, or refused with a cause.
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunOutput } from '../../agent/execution/runner.ts';
import { winRmRunner } from '../../agent/execution/winrm-runner.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createIds } from '../../agent/system/ids.ts';
import { createLockoutGuard } from '../../agent/targets/lockout-guard.ts';
import type { Target } from '../../agent/targets/target.ts';
import { openWinRmSession } from '../../agent/winrm/open-session.ts';
import type { TlsTrust } from '../../agent/winrm/endpoint.ts';
import type { Credentials } from '../../agent/winrm/security-context.ts';
import { simulatedSite } from '../lab/simulated-site.ts';
import { hostHandler } from '../lab/windows-host.ts';
import type { CertificateLogons, WinRmServer } from '../lab/winrm-server/start-winrm-server.ts';
import { withLog } from '../support/evidence-fixtures.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { memoryLog } from '../support/fakes/memory-log.ts';
import { ANY_RUN, machine, testTarget } from '../support/runbook-fixtures.ts';
import { makeTestCa, type IssuedCertificate, type TestCa } from '../support/test-ca.ts';
import { startTcpServer, startTlsServer } from '../support/tls-server.ts';
import { echo, endpointOf, labSession, runOnce, withServer } from '../support/winrm-lab.ts';

const UPN = 'agent@srv-1';

let ca: TestCa;
let other: TestCa;
let identity: IssuedCertificate;
let client: IssuedCertificate;
let trust: TlsTrust;

beforeAll(async () => {
  [ca, other] = await Promise.all([makeTestCa(), makeTestCa({ name: 'Other CA' })]);
  [identity, client] = await Promise.all([ca.issueServer(), ca.issueClient({ cn: 'agent', upn: UPN })]);
  trust = { kind: 'ca', caPem: ca.caPem };
});

const showing = ({ keyPem, certPem }: IssuedCertificate, chain = ''): Credentials => ({
  kind: 'certificate',
  // As Central Command reads it from a file: without the last line's end.
  pem: Buffer.from((keyPem + certPem + chain).trim()),
});
const logons = (o: Partial<CertificateLogons> = {}): CertificateLogons => ({
  caPem: ca.caPem,
  asks: 'renegotiation',
  mappings: [{ issuerPem: ca.caPem, subject: UPN, user: 'agent' }],
  ...o,
});

describe('a logon with a client certificate', () => {
  it.each(['renegotiation', 'handshake'] as const)('works where the host asks for it by %s', async (asks) => {
    await withServer({ tls: identity, certificates: logons({ asks }) }, async (server) => {
      const { session, log } = labSession(endpointOf(server, trust), showing(client));
      const large = 'x'.repeat(300_000);
      expect((await session.run(echo(large))).stdout.toString()).toBe(large);
      expect((await session.run(echo('second'))).stdout.toString()).toBe('second');
      await session.close();
      expect(server).toMatchObject({ logons: 1, refusedLogons: 0, connections: 1, liveShells: 0 });
      expect(JSON.stringify(log.records)).not.toContain('PRIVATE KEY');
    });
  });

  it('works with a certificate of an intermediate CA, whose certificate comes along', async () => {
    const sub = await ca.issueCa('Clinic CA');
    const mappings = [{ issuerPem: sub.caPem, subject: '*@srv-1', user: 'agent' }];
    await withServer({ tls: identity, certificates: logons({ mappings }) }, async (server) => {
      const own = await sub.issueClient({ cn: 'agent', upn: UPN });
      expect((await runOnce(endpointOf(server, trust), echo('chain'), showing(own, sub.caPem))).stdout.toString()).toBe(
        'chain',
      );
    });
  });

  it('needs a mapping on the host, tries once in a session, and says what is missing', async () => {
    const mappings = [{ issuerPem: ca.caPem, subject: 'somebody@srv-1', user: 'agent' }];
    await withServer({ tls: identity, certificates: logons({ mappings }) }, async (server) => {
      const { session } = labSession(endpointOf(server, trust), showing(client));
      const error = await expectCodeAsync(session.run(echo()), 'winrm_client_certificate_unmapped');
      expect(error.remedy).toContain('mapping');
      await expectCodeAsync(session.run(echo()), 'winrm_client_certificate_unmapped');
      await session.close();
      expect(server).toMatchObject({ logons: 0, refusedLogons: 1, connections: 1, lastRefusal: 'no mapping' });
    });
  });

  it('is refused for a certificate of a CA that the host does not trust, whatever its subject is', async () => {
    await withServer({ tls: identity, certificates: logons() }, async (server) => {
      const foreign = await other.issueClient({ cn: 'agent', upn: UPN });
      await expectCodeAsync(
        runOnce(endpointOf(server, trust), echo(), showing(foreign)),
        'winrm_client_certificate_unmapped',
      );
      expect(server.lastRefusal).toContain('untrusted');
    });
  });

  it('names a host that asks for no certificate, because it does not take any', async () => {
    for (const certificates of [logons({ asks: 'never' }), null]) {
      await withServer({ tls: identity, ...(certificates === null ? {} : { certificates }) }, async (server) => {
        const error = await expectCodeAsync(
          runOnce(endpointOf(server, trust), echo(), showing(client)),
          'winrm_client_certificate_not_asked',
        );
        expect(error.remedy).toContain('Certificate $true');
        expect(server.logons).toBe(0);
      });
    }
  });

  it('sends no request to a host whose own certificate is not the right one', async () => {
    let bytes = 0;
    const impostor = await startTlsServer(
      await other.issueServer(),
      (socket) => socket.on('data', (data: Buffer) => (bytes += data.length)),
      { requestCert: true, rejectUnauthorized: false, maxVersion: 'TLSv1.2' },
    );
    await expectCodeAsync(runOnce(endpointOf(impostor, trust), echo(), showing(client)), 'winrm_ca_unknown');
    expect(impostor.connections()).toBe(1);
    await impostor.close();
    expect(bytes).toBe(0);
  });

  it.each([
    [42, 'bad_certificate'],
    [43, 'unsupported_certificate'],
    [44, 'certificate_revoked'],
    [45, 'certificate_expired'],
    [46, 'certificate_unknown'],
    [48, 'unknown_ca'],
    [49, 'access_denied'],
  ] as const)('names the alert %i (%s) by which a host refuses it during TLS', async (number, alert) => {
    // RFC 5246, section 7.2: an alert record, fatal.
    const host = await startTcpServer((socket) =>
      socket.once('data', () => socket.end(Buffer.from([21, 3, 3, 0, 2, 2, number]))),
    );
    const endpoint = endpointOf(host, trust);
    const error = await expectCodeAsync(
      runOnce(endpoint, echo(), showing(client)),
      'winrm_client_certificate_untrusted',
    );
    expect(error.details).toEqual({ alert });
    // Whoever shows none is not told so.
    const code = (await runOnce(endpoint).catch((thrown: unknown) => thrown)) as { code: string };
    expect(code.code).toBe('winrm_tls_failed');
    await host.close();
  });

  it('is refused over plain HTTP before anything is sent', () => {
    expectCode(
      () => labSession({ scheme: 'http', hostname: 'localhost', port: 5_985 }, showing(client)),
      'winrm_certificate_without_tls',
    );
  });
});

describe('a target with auth certificate', () => {
  const never = new AbortController().signal;

  /** A runner with a real lock-out guard, and a server that knows the certificate; `mappings` of the server may be emptied. */
  const withRunner = (
    certificates: CertificateLogons,
    use: (o: {
      server: WinRmServer;
      look: (id: string, secret: IssuedCertificate, version?: number) => Promise<RunOutput>;
      standing: (id: string) => string;
    }) => Promise<void>,
  ): Promise<void> =>
    withLog(async ({ store }) => {
      const site = simulatedSite({ 'srv-1': machine() });
      await withServer({ tls: identity, certificates, handler: hostHandler(site, 'srv-1') }, async (server) => {
        const guard = createLockoutGuard({ store, nowT: () => 1_780_315_200 });
        const deps = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
        const runner = winRmRunner({ open: openWinRmSession, guard, ...deps });
        const at = { hostname: 'localhost', address: '127.0.0.1', port: server.port, scheme: 'https' } as const;
        const targetOf = (id: string, secret: IssuedCertificate, version: number): Target =>
          testTarget(id, {
            ...at,
            auth: 'certificate',
            tls: { trust: 'ca', pem: ca.caPem },
            secret: Buffer.from(secret.keyPem + secret.certPem),
            credentialVersion: version,
          });
        await use({
          server,
          look: async (id, secret, version = 1) => {
            const session = runner.open(targetOf(id, secret, version));
            try {
              return await session.run(ANY_RUN, never);
            } finally {
              await session.close();
            }
          },
          standing: (id) => guard.look(targetOf(id, client, 1)).may,
        });
      });
    });

  it('is looked at with the key and chain of its secret', () =>
    withRunner(logons(), async ({ server, look }) => {
      expect(await look('srv-1', client)).toMatchObject({ exitCode: 0 });
      expect(server).toMatchObject({ logons: 1, connections: 1, liveShells: 0 });
    }));

  it.each([
    ['that has expired', { notAfter: new Date(Date.now() - 1_000) }, 'target_certificate_date'],
    ['of the future', { notBefore: new Date(Date.now() + 86_400_000) }, 'target_certificate_date'],
    ['for servers', { usages: ['1.3.6.1.5.5.7.3.1'] }, 'target_certificate_purpose'],
  ] as const)('does not show a certificate %s, and holds nothing up', (_name, changes, code) =>
    withRunner(logons(), async ({ server, look, standing }) => {
      const bad = await ca.issueClient({ cn: 'agent', upn: UPN, ...changes });
      await expectCodeAsync(look('srv-1', bad), code);
      expect(server).toMatchObject({ connections: 0 });
      expect(standing('srv-1')).toBe('try');
    }),
  );

  it('does not show a certificate with the key of another one', () =>
    withRunner(logons(), async ({ server, look }) => {
      const other = await ca.issueClient({ cn: 'agent', upn: UPN });
      await expectCodeAsync(look('srv-1', { ...client, keyPem: other.keyPem }), 'target_certificate_invalid');
      expect(server).toMatchObject({ connections: 0 });
    }));

  it('waits after a host that does not map it, without another word to that host; others are looked at', () =>
    withRunner(logons({ mappings: [] }), async ({ server, look, standing }) => {
      await expectCodeAsync(look('srv-1', client), 'winrm_client_certificate_unmapped');
      await expectCodeAsync(look('srv-1', client), 'credential_waiting');
      expect(server).toMatchObject({ refusedLogons: 1, connections: 1 });
      expect(standing('srv-1')).toBe('later');
      expect(standing('srv-2')).toBe('try');
    }));
});
