// An RFC 3161 authority made with openssl, behind an HTTP server on loopback, that answers well or in every wrong way. For tests
// only.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Manner =
  | 'good'
  | 'other nonce'
  | 'other imprint'
  | 'rejection'
  | 'web page'
  | 'error status'
  | 'nonsense'
  | 'cut off'
  | 'huge'
  | 'hanging'
  | 'away';

export interface TimestampAuthority {
  readonly url: string;
  /** PEM file of its certificate authority. */
  readonly caFile: string;
  /** Another one, which has nothing to do with it. */
  readonly strangerFile: string;
  manner: Manner;
  /** Questions so far. */
  readonly asked: () => number;
  close(): Promise<void>;
}

const CONFIG = `
[tsa]
serial = ./serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[ext]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[dn]
`;

/** @param algorithm key of the authority, as `openssl genpkey` names it */
export async function startTimestampAuthority(algorithm: 'rsa' | 'ec' = 'rsa'): Promise<TimestampAuthority> {
  const dir = mkdtempSync(join(tmpdir(), 'tsa-'));
  const openssl = (...argv: string[]): void => void execFileSync('openssl', argv, { cwd: dir, stdio: 'pipe' });
  writeFileSync(join(dir, 'tsa.cnf'), CONFIG);
  writeFileSync(join(dir, 'serial'), '01\n');
  const key = (name: string): void =>
    algorithm === 'rsa'
      ? openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', `${name}.key`)
      : openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`);
  const authority = (name: string): void => {
    key(name);
    const self = [
      'req',
      '-x509',
      '-new',
      '-config',
      'tsa.cnf',
      '-subj',
      `/CN=${name}`,
      '-extensions',
      'ca',
      '-days',
      '3650',
    ];
    openssl(...self, '-key', `${name}.key`, '-out', `${name}.pem`);
  };
  authority('ca');
  authority('stranger');
  key('signer');
  openssl('req', '-new', '-config', 'tsa.cnf', '-subj', '/CN=signer', '-key', 'signer.key', '-out', 'signer.csr');
  const issue = [
    'x509',
    '-req',
    '-in',
    'signer.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '3650',
  ];
  openssl(...issue, '-extfile', 'tsa.cnf', '-extensions', 'ext', '-out', 'signer.pem');

  const reply = (query: Buffer): Buffer => {
    writeFileSync(join(dir, 'query'), query);
    openssl(
      ...['ts', '-reply', '-config', 'tsa.cnf', '-section', 'tsa', '-queryfile', 'query'],
      ...['-signer', 'signer.pem', '-inkey', 'signer.key', '-chain', 'ca.pem', '-out', 'reply'],
    );
    return readFileSync(join(dir, 'reply'));
  };
  /** The same question with some of its bytes exchanged. */
  const bent = (query: Buffer, from: number): Buffer => {
    const copy = Buffer.from(query);
    copy.writeUInt8(copy.readUInt8(from) ^ 0x01, from);
    return copy;
  };

  let count = 0;
  const answer = (query: Buffer, response: ServerResponse): void => {
    const send = (body: Buffer | string, type = 'application/timestamp-reply', status = 200): void =>
      void response.writeHead(status, { 'content-type': type }).end(body);
    // SEQUENCE { INTEGER 1, imprint of 49 bytes, INTEGER nonce, TRUE }: the imprint ends at byte 56, the nonce before the last three.
    switch (authorityNow.manner) {
      case 'good':
        return send(reply(query));
      case 'other nonce':
        return send(reply(bent(query, query.length - 4)));
      case 'other imprint':
        return send(reply(bent(query, 50)));
      case 'rejection':
        // It says itself that the format was wrong.
        return send(reply(Buffer.from('not a question')));
      case 'web page':
        return send('<!doctype html><title>Log in to the hotel</title>', 'text/html');
      case 'error status':
        return send('busy', 'application/timestamp-reply', 503);
      case 'nonsense':
        return send('this is no DER');
      case 'cut off':
        return send(reply(query).subarray(0, 300));
      case 'huge':
        return send(Buffer.alloc(2_000_000, 0x30));
      case 'away':
        return void response.destroy();
      case 'hanging':
        response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).write('0');
    }
  };
  const server = createServer((request: IncomingMessage, response) => {
    count += 1;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => answer(Buffer.concat(chunks), response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const authorityNow: TimestampAuthority = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/tsr`,
    caFile: join(dir, 'ca.pem'),
    strangerFile: join(dir, 'stranger.pem'),
    manner: 'good',
    asked: () => count,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return authorityNow;
}
