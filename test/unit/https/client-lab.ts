// Servers and clients of the tests of the HTTPS client, with two CAs. Whatever is tracked is closed after each test.
import { afterEach } from 'vitest';
import type { TlsOptions } from 'node:tls';
import { createHttpsClient, type HttpsClient, type HttpsClientOptions } from '../../../agent/https/client.ts';
import { makeTestCa, type IssuedCertificate } from '../../support/test-ca.ts';
import { startHttpsServer, type RunningServer } from '../../support/tls-server.ts';

/** Of no key that there is. */
export const SPARE_PIN = 'f'.repeat(64);
/** Long enough for anything that is expected to answer. */
const DEADLINE_MS = 5_000;

/** Given and pinned; the other one is neither. */
export const ca = await makeTestCa();
export const otherCa = await makeTestCa({ name: 'Other CA' });
/** A server of the pinned CA. */
export const identity = await ca.issueServer();
const open: (HttpsClient | RunningServer)[] = [];

afterEach(async () => {
  for (const item of open.splice(0)) await item.close();
});

/** Closes it after the test. */
export function track<T extends HttpsClient | RunningServer>(item: T): T {
  open.push(item);
  return item;
}

/** To a server on this machine, by the pinned CA unless said otherwise. */
export function clientFor(port: number, o: Partial<HttpsClientOptions> & { hostname?: string } = {}): HttpsClient {
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

/** One request. */
export const get = (client: HttpsClient, deadlineMs = DEADLINE_MS) =>
  client.request({ method: 'GET', path: '/', deadlineMs, maxResponseBytes: 1_000 });

/** A server that answers `ok`. */
export async function answering(
  server: IssuedCertificate = identity,
  options: TlsOptions = {},
): Promise<RunningServer> {
  return track(await startHttpsServer(server, (_request, response) => response.end('ok'), options));
}
