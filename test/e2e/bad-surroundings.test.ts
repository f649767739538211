import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { RequestListener } from 'node:http';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { AgentStatus } from '../../agent/system/status-file.ts';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite } from '../support/demo-site.ts';
import { serverIdentity } from '../support/impostor.ts';
import { makeTestCa } from '../support/test-ca.ts';
import type { IssuedCertificate } from '../support/test-ca.ts';

const DAY_S = 86_400;

describe('what the running daemon meets around it', () => {
  const site = demoSite();

  /** Puts a server in the place of Central Command while `during` runs; afterwards the real one is back and all is well. */
  async function inPlaceOfCentral(
    identity: IssuedCertificate,
    listener: RequestListener,
    during: () => Promise<void>,
  ): Promise<void> {
    await site.endCentral('SIGTERM');
    const server = createServer({ cert: identity.certPem, key: identity.keyPem }, listener);
    server.listen(Number(new URL(site.url()).port), '127.0.0.1');
    await once(server, 'listening');
    try {
      await during();
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    await site.startCentral();
    await site.untilStatus('all is well again', (s) => s.blocking_reason === null);
  }

  /** The agent names `code` as its reason, and goes on writing evidence meanwhile. */
  async function namesAndGoesOn(code: string): Promise<AgentStatus> {
    const before = site.status()?.log?.size ?? 0;
    return site.untilStatus(
      `the reason is ${code} and the log grows`,
      (s) => s.blocking_reason?.code === code && (s.log?.size ?? 0) > before,
      60_000,
    );
  }

  it('enrols', async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
  });

  it('a server with the certificate of another CA gets nothing but a handshake, and is named tls_untrusted', async () => {
    const foreign = await (await makeTestCa()).issueServer({ ips: ['127.0.0.1'] });
    let requests = 0;
    await inPlaceOfCentral(
      foreign,
      (_request, response) => {
        requests += 1;
        response.end();
      },
      async () => {
        const { blocking_reason: reason } = await namesAndGoesOn('tls_untrusted');
        expect(reason?.remedy.length).toBeGreaterThan(10);
      },
    );
    expect(requests).toBe(0);
  });

  it('a server whose certificate ended three years ago is named tls_date_invalid, as a clock three years ahead would be', async () => {
    const old = await serverIdentity(site, { now: Math.floor(Date.now() / 1_000) - 3 * 365 * DAY_S });
    await inPlaceOfCentral(
      old,
      (_request, response) => void response.end(),
      async () => {
        await namesAndGoesOn('tls_date_invalid');
      },
    );
  });

  it('a web page in the place of the answer is named for what it is', async () => {
    await inPlaceOfCentral(
      await serverIdentity(site),
      (_request, response) => {
        response
          .writeHead(200, { 'content-type': 'text/html' })
          .end('<html><body>Welcome to the guest network</body></html>');
      },
      async () => void (await namesAndGoesOn('response_not_expected')),
    );
  });

  it('half an answer is named response_truncated', async () => {
    await inPlaceOfCentral(
      await serverIdentity(site),
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/vnd.dsse+json', 'content-length': '5000' });
        response.write('{"payload":"');
        setTimeout(() => response.destroy(), 20);
      },
      async () => void (await namesAndGoesOn('response_truncated')),
    );
  });

  it('ten megabytes for an answer are not read, and named response_too_large', async () => {
    await inPlaceOfCentral(
      await serverIdentity(site),
      (_request, response) => {
        response.on('error', () => undefined);
        response.writeHead(200, { 'content-type': 'application/vnd.dsse+json' }).end(Buffer.alloc(10_000_000, 'x'));
      },
      async () => void (await namesAndGoesOn('response_too_large')),
    );
  });

  it('a name that does not resolve is named, leaves an alert in the log that is cleared later, and stops nothing', async () => {
    await site.endAgent('SIGTERM');
    const config = readFileSync(site.paths.config, 'utf8');
    appendFileSync(site.paths.config, 'central_url: https://central-command.invalid:8443\n');
    site.startAgent();
    await namesAndGoesOn('dns_failed');
    const alerts = (): string[] =>
      linesOnDisk(site).flatMap((line) => {
        const { predicate } = statementOf(line);
        return predicate.kind === 'alert' && predicate.code === 'central_unreachable' ? [predicate.state] : [];
      });
    const before = alerts().length;
    await site.untilStatus('the alert is raised', () => alerts().at(-1) === 'raised', 60_000);
    await site.endAgent('SIGTERM');
    writeFileSync(site.paths.config, config);
    site.startAgent();
    await site.untilStatus('the alert is cleared', () => alerts().at(-1) === 'cleared', 60_000);
    expect(alerts().length).toBeGreaterThan(before);
    await site.untilStatus('all is stored', (s) => s.stored_size !== null && s.stored_size === s.log?.size);
  });
});
