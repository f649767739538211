import { randomUUID } from 'node:crypto';
import { connect, type ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeEnvelope, signEnvelope } from '../../agent/wire/dsse.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import { loadAuthority } from '../../central/ca/certificate-authority.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import {
  checkIn,
  checkinRequestOf,
  enrolDevice,
  makeDevice,
  postCheckin,
  postEvidence,
  send,
  type Enrolled,
} from '../support/device.ts';

let central: TestCentral;
let server: RunningCentral;
let me: Enrolled;
let other: Enrolled;

beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve();
  me = await enrolDevice(central, server.url, 'north-1');
  other = await enrolDevice(central, server.url, 'north-2');
}, 60_000);
afterAll(async () => central.remove());

const CHECKIN = '/api/v1/appliances/checkin';
const DSSE = { 'content-type': 'application/vnd.dsse+json' };
const alarms = async () =>
  (await central.json<{ alarms: { kind: string; subject: string }[] }>('appliance', 'alarms')).alarms;

describe('who may speak to Central Command', () => {
  it('refuses a check-in without a client certificate', async () => {
    const answer = await postCheckin(central, server.url, me, { tls: null });
    expect([answer.status, answer.code]).toEqual([401, 'client_certificate_missing']);
  });

  it('refuses evidence and documents without a client certificate', async () => {
    const evidence = await postEvidence(central, server.url, me, 0, ['{}'], { tls: null });
    expect(evidence.code).toBe('client_certificate_missing');
    const root = await send(central, server.url, '/api/v1/appliances/documents/root/1', { method: 'GET' });
    expect(root.code).toBe('client_certificate_missing');
  });

  it('refuses a certificate of another CA that names the same appliance and key', async () => {
    const stranger = await makeCentral();
    const ca = await loadAuthority(`${stranger.dataDir}/keys`);
    await stranger.remove();
    const spki = Buffer.from(me.device.tlsSpki, 'base64');
    const { pem } = await ca.issueDevice({ applianceId: 'north-1', spki, now: Math.floor(Date.now() / 1_000) });
    const answer = await postCheckin(central, server.url, me, { tls: { cert: pem, key: me.device.tlsKeyPem } });
    expect([answer.status, answer.code]).toEqual([401, 'client_certificate_invalid']);
  });

  it('tells a lapsed certificate apart instead of cutting the connection', async () => {
    const ca = await loadAuthority(`${central.dataDir}/keys`);
    const spki = Buffer.from(me.device.tlsSpki, 'base64');
    const lastMonth = Math.floor(Date.now() / 1_000) - 30 * 86_400;
    const { pem } = await ca.issueDevice({ applianceId: 'north-1', spki, now: lastMonth });
    const answer = await postCheckin(central, server.url, me, { tls: { cert: pem, key: me.device.tlsKeyPem } });
    expect([answer.status, answer.code]).toEqual([401, 'client_certificate_lapsed']);
  });

  it('refuses a server certificate of our own CA as a client certificate', async () => {
    const ca = await loadAuthority(`${central.dataDir}/keys`);
    const spki = Buffer.from(me.device.tlsSpki, 'base64');
    const { pem } = await ca.issueServer({ hosts: ['north-1'], spki, now: Math.floor(Date.now() / 1_000) });
    const answer = await postCheckin(central, server.url, me, { tls: { cert: pem, key: me.device.tlsKeyPem } });
    expect([answer.status, answer.code]).toEqual([401, 'client_certificate_invalid']);
  });

  it("refuses one appliance's signed request over another appliance's connection", async () => {
    const answer = await postCheckin(central, server.url, me, { tls: other.tls });
    expect([answer.status, answer.code]).toEqual([403, 'signature_invalid']);
  });

  it('refuses a payload that names another appliance, even when its own device key signed it', async () => {
    const answer = await postCheckin(central, server.url, me, { change: { appliance_id: 'north-2' } });
    expect([answer.status, answer.code]).toEqual([403, 'identity_mismatch']);
    const site = await postCheckin(central, server.url, me, { change: { site_id: 'south' } });
    expect(site.code).toBe('identity_mismatch');
  });

  it('refuses a payload that another device key signed', async () => {
    const answer = await postCheckin(central, server.url, me, { signer: other.device.signer });
    expect([answer.status, answer.code]).toEqual([403, 'signature_invalid']);
  });

  it('refuses a certificate that our CA gave for another TLS key than the bound one', async () => {
    const thief = await makeDevice();
    const ca = await loadAuthority(`${central.dataDir}/keys`);
    const spki = Buffer.from(thief.tlsSpki, 'base64');
    const { pem } = await ca.issueDevice({ applianceId: 'north-1', spki, now: Math.floor(Date.now() / 1_000) });
    const answer = await postCheckin(central, server.url, me, { tls: { cert: pem, key: thief.tlsKeyPem } });
    expect([answer.status, answer.code]).toEqual([403, 'identity_mismatch']);
  });

  it('refuses a certificate of our CA for an appliance that nobody confirmed', async () => {
    const ca = await loadAuthority(`${central.dataDir}/keys`);
    const device = await makeDevice();
    const spki = Buffer.from(device.tlsSpki, 'base64');
    const { pem } = await ca.issueDevice({ applianceId: 'ghost', spki, now: Math.floor(Date.now() / 1_000) });
    const ghost = { ...me, device, applianceId: 'ghost', tls: { cert: pem, key: device.tlsKeyPem } };
    const answer = await postCheckin(central, server.url, ghost);
    expect([answer.status, answer.code]).toEqual([403, 'identity_mismatch']);
  });

  it('refuses an epoch that is not bound', async () => {
    const answer = await postCheckin(central, server.url, me, { change: { epoch: 2 } });
    expect([answer.status, answer.code]).toEqual([403, 'epoch_unknown']);
  });

  it('refuses a repeated check-in and raises an alarm about a possible copy', async () => {
    const body = encodeEnvelope(signDocument('checkinRequest', checkinRequestOf(me), [me.device.signer]));
    expect((await postCheckin(central, server.url, me, { body })).status).toBe(200);
    const replay = await postCheckin(central, server.url, me, { body });
    expect([replay.status, replay.code]).toEqual([409, 'counter_reused']);
    expect(await alarms()).toContainEqual(expect.objectContaining({ kind: 'counter_reused', subject: 'north-1' }));
  });

  it('refuses a counter that falls within its boot but takes it in a new boot', async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    await checkIn(central, server.url, other, { boot_id: first, counter: 1_000 });
    const fell = await postCheckin(central, server.url, other, { change: { boot_id: first, counter: 999 } });
    expect(fell.code).toBe('counter_reused');
    await checkIn(central, server.url, other, { boot_id: second, counter: 1 });
    expect(await alarms()).not.toContainEqual(expect.objectContaining({ kind: 'boot_ids_interleaved' }));
    await checkIn(central, server.url, other, { boot_id: first, counter: 1_001 });
    expect(await alarms()).toContainEqual(
      expect.objectContaining({ kind: 'boot_ids_interleaved', subject: 'north-2' }),
    );
  });

  it('looks at the signature before it looks into a payload', async () => {
    const junk = encodeEnvelope(
      signEnvelope(DOCUMENTS.checkinRequest.payloadType, Buffer.from('{"a":1'), [other.device.signer]),
    );
    expect((await postCheckin(central, server.url, me, { body: junk })).code).toBe('signature_invalid');
  });
});

describe('the HTTP border of Central Command', () => {
  it('answers only to its own names', async () => {
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:443']) {
      const answer = await send(central, server.url, CHECKIN, { headers: { ...DSSE, host }, tls: me.tls, body: '{}' });
      expect([answer.status, answer.code]).toEqual([421, 'host_unknown']);
    }
  });

  it('refuses other methods and names the right one', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await send(central, server.url, CHECKIN, { method, tls: me.tls });
      expect([answer.status, answer.code, answer.headers['allow']]).toEqual([405, 'method_not_allowed', 'POST']);
    }
    const post = await send(central, server.url, '/api/v1/appliances/documents/root/1', { tls: me.tls });
    expect([post.status, post.headers['allow']]).toEqual([405, 'GET']);
  });

  it('knows no other address, however it is spelled', async () => {
    for (const path of ['/', '/api/v1/appliances/checkin/', '/api/v1//enrolments', '/api/v1/appliances', '/%ff']) {
      const answer = await send(central, server.url, path, { method: 'GET', tls: me.tls });
      expect(answer.status === 404 || answer.status === 400, `${path}: ${answer.status}`).toBe(true);
    }
  });

  it('refuses other content types and an empty body', async () => {
    const body = encodeEnvelope(signDocument('checkinRequest', checkinRequestOf(me), [me.device.signer]));
    for (const type of ['application/json', 'text/plain', 'application/x-ndjson']) {
      const answer = await send(central, server.url, CHECKIN, { headers: { 'content-type': type }, body, tls: me.tls });
      expect([answer.status, answer.code]).toEqual([415, 'media_type_unsupported']);
    }
    const empty = await send(central, server.url, CHECKIN, { headers: DSSE, body: '', tls: me.tls });
    expect(empty.status).toBe(400);
  });

  it('refuses a body over its limit', async () => {
    const answer = await postCheckin(central, server.url, me, { body: 'x'.repeat(400_000) }).catch(
      (error: NodeJS.ErrnoException) => error.code,
    );
    // The server answers before the body is read and closes; a client that is still writing may see only the close.
    if (typeof answer === 'object') expect([answer.status, answer.code]).toEqual([413, 'body_too_large']);
    else expect(['EPIPE', 'ECONNRESET']).toContain(answer);
  });

  it('gives a correlation id back and replaces one that is not plain', async () => {
    const body = encodeEnvelope(signDocument('checkinRequest', checkinRequestOf(me), [me.device.signer]));
    const given = await send(central, server.url, CHECKIN, {
      headers: { ...DSSE, 'x-correlation-id': 'run-42' },
      body,
      tls: me.tls,
    });
    expect(given.headers['x-correlation-id']).toBe('run-42');
    const odd = await send(central, server.url, CHECKIN, {
      headers: { ...DSSE, 'x-correlation-id': 'a b"c' },
      body,
      tls: me.tls,
    });
    expect(odd.headers['x-correlation-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(server.log()).toContain('"correlation_id":"run-42"');
  });

  it('speaks nothing below TLS 1.3', async () => {
    await expect(handshake({ maxVersion: 'TLSv1.2' })).rejects.toThrow();
    expect(await handshake({})).toBe('TLSv1.3');
  });

  it('answers what is not HTTP with a problem document and goes on', async () => {
    const text = await raw('BREW /pot HTTX/9\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(text.split('\r\n\r\n')[1]!).code).toBe('request_malformed');
    expect((await checkIn(central, server.url, me)).appliance_id).toBe('north-1');
  });

  it('limits how often one address may claim, and tells when to come back', async () => {
    const statuses = new Set<number>();
    let limited = null;
    for (let i = 0; i < 60 && limited === null; i++) {
      const answer = await send(central, server.url, '/api/v1/enrolments', { headers: DSSE, body: '{}' });
      statuses.add(answer.status);
      if (answer.status === 429) limited = answer;
    }
    expect(limited?.code).toBe('rate_limited');
    expect(limited?.headers['retry-after']).toBe('5');
    // Check-ins have their own limit.
    expect((await checkIn(central, server.url, me)).appliance_id).toBe('north-1');
  });
});

describe('documents of Central Command', () => {
  it('serves the root by version and nothing that does not exist', async () => {
    const get = (path: string) =>
      send(central, server.url, `/api/v1/appliances/documents/${path}`, { method: 'GET', tls: me.tls });
    const root = await get('root/1');
    expect([root.status, root.body]).toEqual([200, central.root.line]);
    for (const path of ['root/2', 'root/01', 'root/x', `content/${'0'.repeat(64)}`, 'content/1', 'keys/order']) {
      const answer = await get(path);
      expect([path, answer.status, answer.code]).toEqual([path, 404, 'document_unknown']);
    }
  });
});

function target(): ConnectionOptions {
  const { hostname, port } = new URL(server.url);
  return { host: hostname, port: Number(port), ca: central.caPem };
}

function handshake(o: ConnectionOptions): Promise<string | null> {
  return new Promise((done, fail) => {
    const socket = connect({ ...target(), ...o }, () => {
      done(socket.getProtocol());
      socket.destroy();
    });
    socket.on('error', fail);
  });
}

function raw(text: string): Promise<string> {
  return new Promise((done, fail) => {
    let got = '';
    const socket = connect(target(), () => socket.write(text));
    socket.setEncoding('utf8').on('data', (chunk: string) => (got += chunk));
    socket.on('end', () => done(got));
    socket.on('error', fail);
  });
}
