import { createPublicKey } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyBaseLogger } from 'fastify';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { SERVER_CERTIFICATE_DAYS, loadServerKey } from '../ca/certificate-authority.ts';
import { onlineKeysDir } from '../keys/online-keys.ts';
import { caGeneration, type Central } from '../service/central.ts';
import { raiseSilent } from '../service/watch-silence.ts';
import { buildServer, type Rates } from './build-server.ts';

export interface ListenOptions {
  readonly dataDir: string;
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** How appliances reach it; made of host and port when absent. */
  readonly publicUrl?: string | undefined;
  readonly rates?: Partial<Rates>;
  readonly logger?: FastifyBaseLogger;
}

const RENEW_EVERY_MS = 86_400_000;
const SILENCE_EVERY_MS = 60_000;
const CLOSE_AFTER_MS = 5_000;
/** A server certificate is made anew in this part of its life, by the daily timer. */
const RENEW_AFTER_DAYS = SERVER_CERTIFICATE_DAYS / 2;

/**
 * Starts serving. The server certificate is made at each start and while running; the address is remembered for
 * `usb write`.
 *
 * @throws usage when the port cannot be bound
 */
export async function listen(central: Central, o: ListenOptions): Promise<{ url: string; close(): Promise<void> }> {
  const key = loadServerKey(onlineKeysDir(o.dataDir), caGeneration(central.store));
  const hosts = hostsOf(o);
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const tls = async () => {
    const { pem } = await central.authority.issueServer({ hosts, spki, now: central.now() });
    const { caPem, clientCaPem } = central.authority;
    return { key: key.export({ type: 'pkcs8', format: 'pem' }) as string, cert: pem + caPem, ca: clientCaPem };
  };
  const server = buildServer(central, {
    tls: await tls(),
    hosts: new Set(hosts),
    ...(o.rates === undefined ? {} : { rates: o.rates }),
    ...(o.logger === undefined ? {} : { logger: o.logger }),
  });
  let address: string;
  try {
    address = await server.listen({ host: o.host, port: o.port });
  } catch (cause) {
    throw new AgentError('usage', `cannot listen on ${o.host}:${o.port}`, { cause });
  }
  const url = o.publicUrl ?? address;
  central.store.setSetting('public_url', url);
  let madeAt = central.now();
  const renewal = setInterval(() => {
    if (central.now() - madeAt < RENEW_AFTER_DAYS * 86_400) return;
    tls().then(
      (context) => {
        server.server.setSecureContext({ ...context, minVersion: 'TLSv1.3' });
        madeAt = central.now();
      },
      (error: unknown) => o.logger?.error({ err: error }, 'server certificate not renewed'),
    );
  }, RENEW_EVERY_MS);
  const silence = setInterval(() => {
    try {
      raiseSilent(central);
    } catch (error) {
      o.logger?.error({ err: error }, 'silent appliances not looked for');
    }
  }, SILENCE_EVERY_MS);
  return {
    url,
    close: async () => {
      clearInterval(renewal);
      clearInterval(silence);
      // Requests in flight may end; whoever is slower than this is cut off and tries again.
      const cut = setTimeout(() => server.server.closeAllConnections(), CLOSE_AFTER_MS);
      await server.close();
      clearTimeout(cut);
    },
  };
}

/** Names in the certificate, which are also the Host headers that are answered. */
function hostsOf(o: Pick<ListenOptions, 'host' | 'publicUrl'>): string[] {
  const wildcard = o.host === '0.0.0.0' || o.host === '::';
  const named = o.publicUrl === undefined ? [] : [new URL(o.publicUrl).hostname.replace(/^\[(.*)\]$/, '$1')];
  const local = isIP(o.host) === 6 && !wildcard ? [o.host] : [];
  return [...new Set([...named, ...(wildcard ? [] : [o.host]), ...local, 'localhost', '127.0.0.1'])].map((host) =>
    host.toLowerCase(),
  );
}
