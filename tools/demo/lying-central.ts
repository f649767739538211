// Central Command in the hands of an attacker: it has every online key and signs its answers correctly, but slips orders into
// them that nobody issued, changes what it likes and serves other documents. Only the demo and the tests use it.
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { encodeEnvelope, parseEnvelope, signEnvelope } from '../../agent/wire/dsse.ts';
import { maxLineBytes } from '../../agent/wire/document.ts';
import { loadServerKey } from '../../central/ca/certificate-authority.ts';
import { clientCertificate } from '../../central/http/client-certificate.ts';
import { plainBody } from '../../central/http/plain-body.ts';
import { onlineKeysDir } from '../../central/keys/online-keys.ts';
import type { Central } from '../../central/service/central.ts';
import { openCentral } from '../../central/service/central.ts';
import { checkIn } from '../../central/service/check-in.ts';
import { findDocument } from '../../central/service/find-document.ts';
import type { StoredKind } from '../../central/store/document-table.ts';

/** Takes the honest answer and returns what is sent instead; null when it has taken the response in hand itself. */
export type Distortion = (honest: string, response: ServerResponse) => string | Buffer | null;

export interface LyingCentral {
  readonly central: Central;
  readonly port: number;
  /** What the next answers carry beside the honest orders: anything that JSON can hold. */
  slipIn(orders: readonly unknown[]): void;
  /** What becomes of each answer to a check-in from now on; null: nothing. */
  distort(change: Distortion | null): void;
  /** Lines that are served instead of the stored documents, by `kind/ref`. */
  readonly documents: Map<string, string>;
  /** Bytes that are served for a digest instead of the stored ones. */
  readonly files: Map<string, Buffer>;
  close(): Promise<void>;
}

/** Takes the place of the real server on the same data folder and port. */
export async function startLyingCentral(dataDir: string, host: string, port: number): Promise<LyingCentral> {
  const central = await openCentral(dataDir, { intervals: { checkinS: 1 } });
  let slipped: readonly unknown[] = [];
  let distortion: Distortion | null = null;
  const documents = new Map<string, string>();
  const files = new Map<string, Buffer>();
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
        const client = clientCertificate(request.socket as TLSSocket, central.now());
        const named = DOCUMENT_PATH.exec(request.url ?? '');
        if (named !== null) {
          const [, kind, ref] = named as unknown as [string, StoredKind, string];
          const line = documents.get(`${kind}/${ref}`) ?? stored(() => findDocument(central, client, kind, ref));
          if (line === null) response.writeHead(404).end();
          else send(response, line);
          return;
        }
        const [, digest] = CONTENT_PATH.exec(request.url ?? '') ?? [];
        if (digest !== undefined) {
          const bytes = files.get(digest) ?? central.store.documents.file(digest);
          if (bytes === null) response.writeHead(404).end();
          else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(bytes);
          return;
        }
        if (request.url !== '/api/v1/appliances/checkin') {
          response.writeHead(503).end();
          return;
        }
        const body = plainBody(request.headers, Buffer.concat(chunks), maxLineBytes('checkinRequest'));
        void checkIn(central, client, body).then((line) => {
          const honest = withOrders(central, line, slipped);
          const answer = distortion === null ? honest : distortion(honest, response);
          if (answer !== null) send(response, answer);
        });
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
    distort(change) {
      distortion = change;
    },
    documents,
    files,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      central.close();
    },
  };
}

const CONTENT_PATH = /^\/api\/v1\/appliances\/content\/([0-9a-f]{64})$/;
const DOCUMENT_PATH = /^\/api\/v1\/appliances\/documents\/(root|content|policy|revocations)\/([^/]+)$/;

const send = (response: ServerResponse, body: string | Buffer): void =>
  void response.writeHead(200, { 'content-type': 'application/vnd.dsse+json' }).end(body);

function stored(find: () => string): string | null {
  try {
    return find();
  } catch {
    return null;
  }
}

function withOrders(central: Central, honest: string, orders: readonly unknown[]): string {
  const envelope = parseEnvelope(honest, { maxBytes: maxLineBytes('checkinAnswer') });
  const answer = JSON.parse(envelope.payload.toString('utf8')) as { orders: unknown[] };
  const payload = Buffer.from(JSON.stringify({ ...answer, orders: [...answer.orders, ...orders] }));
  return encodeEnvelope(signEnvelope(envelope.payloadType, payload, [central.keys.timestamp]));
}
