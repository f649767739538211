// Central Command in the hands of an attacker: it has every online key and signs its answers correctly, but slips orders into
// them that nobody issued. Only the demo and the tests use it.
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { encodeEnvelope, parseEnvelope, signEnvelope } from '../../agent/wire/dsse.ts';
import { maxLineBytes } from '../../agent/wire/document.ts';
import { loadServerKey } from '../../central/ca/certificate-authority.ts';
import { clientCertificate } from '../../central/http/client-certificate.ts';
import { onlineKeysDir } from '../../central/keys/online-keys.ts';
import type { Central } from '../../central/service/central.ts';
import { openCentral } from '../../central/service/central.ts';
import { checkIn } from '../../central/service/check-in.ts';

export interface LyingCentral {
  readonly central: Central;
  readonly port: number;
  /** What the next answers carry beside the honest orders: anything that JSON can hold. */
  slipIn(orders: readonly unknown[]): void;
  close(): Promise<void>;
}

/** Takes the place of the real server on the same data folder and port. */
export async function startLyingCentral(dataDir: string, host: string, port: number): Promise<LyingCentral> {
  const central = await openCentral(dataDir, { intervals: { checkinS: 1 } });
  let slipped: readonly unknown[] = [];
  const key = loadServerKey(onlineKeysDir(dataDir));
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const { pem } = await central.authority.issueServer({ hosts: [host], spki, now: central.now() });
  const server = createServer(
    {
      key: key.export({ type: 'pkcs8', format: 'pem' }),
      cert: pem + central.authority.caPem,
      ca: central.authority.caPem,
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (request.url !== '/api/v1/appliances/checkin') {
          response.writeHead(503).end();
          return;
        }
        const client = clientCertificate(request.socket as TLSSocket, central.now());
        const honest = checkIn(central, client, Buffer.concat(chunks));
        const answer = withOrders(central, honest, slipped);
        response.writeHead(200, { 'content-type': 'application/vnd.dsse+json' }).end(answer);
      });
    },
  );
  server.listen(port, host);
  await once(server, 'listening');
  return {
    central,
    port: (server.address() as AddressInfo).port,
    slipIn(orders) {
      slipped = orders;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      central.close();
    },
  };
}

function withOrders(central: Central, honest: string, orders: readonly unknown[]): string {
  const envelope = parseEnvelope(honest, { maxBytes: maxLineBytes('checkinAnswer') });
  const answer = JSON.parse(envelope.payload.toString('utf8')) as { orders: unknown[] };
  const payload = Buffer.from(JSON.stringify({ ...answer, orders: [...answer.orders, ...orders] }));
  return encodeEnvelope(signEnvelope(envelope.payloadType, payload, [central.keys.timestamp]));
}
