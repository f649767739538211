import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeEnvelope, signEnvelope } from '../../agent/wire/dsse.ts';
import { signDocument, encodeDocument } from '../../agent/wire/document.ts';
import { fingerprint } from '../../agent/wire/fingerprint.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import { openBinding } from '../../agent/trust/binding.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { checkIn, claim, claimOf, enrolledFrom, makeDevice, send } from '../support/device.ts';

let central: TestCentral;
let server: RunningCentral;

beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve('--log-level', 'debug');
}, 60_000);
afterAll(async () => central.remove());

const newToken = async (): Promise<string> =>
  (await central.json<{ token: string }>('token', 'new', '--site', 'north')).token;
const confirm = (...args: string[]) => central.cli('appliance', 'confirm', ...args, '--keys', central.keysDir);
const DSSE = { 'content-type': 'application/vnd.dsse+json' };

describe('enrolment at Central Command', () => {
  it('keeps a device pending until an operator confirms its fingerprint, then gives certificate and binding', async () => {
    const [device, token] = [await makeDevice(), await newToken()];
    const pending = await claim(central, server.url, device, token);
    expect(pending).toMatchObject({ status: 'pending', next_claim_s: 10 });
    expect(pending.enrolled).toBeUndefined();
    const print = fingerprint(device.signer.spki, central.root.digest);
    const spoken = print.toLowerCase().replace(/(.{4})/g, '$1 ');
    expect((await confirm(spoken, '--appliance-id', 'front-desk')).code).toBe(0);
    const { status, enrolled } = await claim(central, server.url, device, token);
    expect(status).toBe('confirmed');
    const binding = openBinding(central.root.root, encodeEnvelope({ ...fromEmbedded(enrolled!.binding) })).value;
    expect(binding).toMatchObject({
      appliance_id: 'front-desk',
      site_id: 'north',
      customer_id: 'clinic',
      deployment_mode: 'reseller',
      reseller_id: 'acme',
      epoch: 1,
      origin: 'acme.internal/front-desk/1',
      device_spki: device.signer.spki,
      tls_spki: device.tlsSpki,
      approver: 'jane',
      status: 'confirmed',
      previous: null,
    });
    const certificate = new X509Certificate(enrolled!.certificate);
    expect(certificate.subject).toBe('CN=front-desk');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.ca).toBe(false);
    expect(certificate.verify(new X509Certificate(central.caPem).publicKey)).toBe(true);
    const life = Date.parse(certificate.validTo) - Date.parse(certificate.validFrom);
    expect(life).toBe((86_400 + 300) * 1_000);
    expect((await checkIn(central, server.url, enrolledFrom(device, enrolled!))).appliance_id).toBe('front-desk');
  });

  it('answers the same device again with the same identity, and no other device with its token', async () => {
    const [device, other, token] = [await makeDevice(), await makeDevice(), await newToken()];
    await claim(central, server.url, device, token);
    expect(await claim(central, server.url, other, token)).toMatchObject({
      status: 'refused',
      code: 'enrolment_token_used',
    });
    expect((await confirm(fingerprint(device.signer.spki, central.root.digest))).code).toBe(0);
    const first = await claim(central, server.url, device, token);
    const second = await claim(central, server.url, device, token);
    expect(second.enrolled).toEqual(first.enrolled);
    expect(await claim(central, server.url, other, token)).toMatchObject({ code: 'enrolment_token_used' });
    const { alarms } = await central.json<{ alarms: { kind: string }[] }>('appliance', 'alarms');
    expect(alarms.map((alarm) => alarm.kind)).toContain('enrolment_token_used');
  });

  it('refuses a token that was never given out', async () => {
    const answer = await claim(central, server.url, await makeDevice(), Buffer.alloc(32, 7).toString('base64'));
    expect(answer).toMatchObject({ status: 'refused', code: 'enrolment_token_unknown' });
  });

  it('refuses a certificate request for another key than the claim names, or with a broken signature', async () => {
    const [device, other, token] = [await makeDevice(), await makeDevice(), await newToken()];
    const swapped = await claim(central, server.url, device, token, { csr: other.csr });
    expect(swapped).toMatchObject({ status: 'refused', code: 'csr_invalid' });
    const bytes = Buffer.from(device.csr, 'base64');
    bytes[bytes.length - 1]! ^= 1;
    const broken = await claim(central, server.url, device, token, { csr: bytes.toString('base64') });
    expect(broken).toMatchObject({ status: 'refused', code: 'csr_invalid' });
    const garbage = await claim(central, server.url, device, token, { csr: 'AAAA' });
    expect(garbage).toMatchObject({ status: 'refused', code: 'csr_invalid' });
  });

  it('refuses a claim that carries what belongs to another source', async () => {
    const device = await makeDevice();
    const answer = await claim(central, server.url, device, await newToken(), { source: 'mac' });
    expect(answer).toMatchObject({ status: 'refused', code: 'enrolment_source_unsupported' });
  });

  it('lets a device without a token wait, whatever it says about itself, until an operator has tied and confirmed it', async () => {
    const [known, stranger] = [await makeDevice(), await makeDevice()];
    const hardware = (serial: string) => ({ serial, macs: ['02:aa:bb:cc:dd:01'] });
    await central.json('enrolment', 'expect', '--site', 'north', '--serial', 'MXL-1', '--by', 'jane');
    const ask = (device: typeof known, serial: string) =>
      claim(central, server.url, device, '', { source: 'mac', token: undefined, hardware: hardware(serial) });
    const [mine, other] = [await ask(known, 'MXL-1'), await ask(stranger, 'MXL-2')];
    for (const answer of [mine, other]) {
      expect(Object.keys(answer)).toEqual(Object.keys(mine));
      expect([answer.status, answer.next_claim_s]).toEqual(['pending', 10]);
    }
    const { waiting } = await central.json<{ waiting: { fingerprint: string }[] }>('enrolment', 'list');
    expect(waiting.map((row) => row.fingerprint)).toContain(fingerprint(stranger.signer.spki, central.root.digest));
    expect((await confirm(fingerprint(stranger.signer.spki, central.root.digest))).code).not.toBe(0);
    expect(
      (await confirm(fingerprint(known.signer.spki, central.root.digest), '--appliance-id', 'by-serial')).code,
    ).toBe(0);
    const { status, enrolled } = await ask(known, 'MXL-1');
    expect([status, enrolled?.appliance_id]).toEqual(['confirmed', 'by-serial']);
    expect((await checkIn(central, server.url, enrolledFrom(known, enrolled!))).appliance_id).toBe('by-serial');
  });

  it('refuses another TLS key once a device is confirmed', async () => {
    const [device, token] = [await makeDevice(), await newToken()];
    await claim(central, server.url, device, token);
    await confirm(fingerprint(device.signer.spki, central.root.digest));
    const other = await makeDevice();
    const changed = await claim(central, server.url, device, token, { tls_spki: other.tlsSpki, csr: other.csr });
    expect(changed).toMatchObject({ status: 'refused', code: 'enrolment_key_changed' });
  });

  it('gives no signed answer to a claim that is not signed by the device key in it', async () => {
    const [device, thief, token] = [await makeDevice(), await makeDevice(), await newToken()];
    const forged = encodeEnvelope(signDocument('claim', claimOf(device, token), [thief.signer]));
    const answer = await send(central, server.url, '/api/v1/enrolments', { headers: DSSE, body: forged });
    expect([answer.status, answer.code]).toEqual([403, 'signature_invalid']);
    const twice = encodeEnvelope(signDocument('claim', claimOf(device, token), [device.signer, thief.signer]));
    const both = await send(central, server.url, '/api/v1/enrolments', { headers: DSSE, body: twice });
    expect(both.code).toBe('signature_invalid');
  });

  it('refuses bytes that are no claim, each with its code', async () => {
    const device = await makeDevice();
    const payload = encodeDocument('claim', claimOf(device, await newToken()));
    const post = async (body: string) =>
      (await send(central, server.url, '/api/v1/enrolments', { headers: DSSE, body })).code;
    expect(await post('<html></html>')).toBe('json_not_strict');
    expect(await post('{}')).toBe('envelope_invalid');
    expect(await post(encodeEnvelope(signEnvelope(DOCUMENTS.order.payloadType, payload, [device.signer])))).toBe(
      'payload_type_mismatch',
    );
    const extra = Buffer.from(`${payload.toString().slice(0, -1)},"more":1}`);
    expect(await post(encodeEnvelope(signEnvelope(DOCUMENTS.claim.payloadType, extra, [device.signer])))).toBe(
      'schema_invalid',
    );
    const spaced = Buffer.from(payload.toString().replace('{', '{ '));
    expect(await post(encodeEnvelope(signEnvelope(DOCUMENTS.claim.payloadType, spaced, [device.signer])))).toBe(
      'json_not_strict',
    );
    expect(await post(`{"payload":"${'A'.repeat(60_000)}"`)).toBe('body_too_large');
  });

  it('confirms by itself only the serial numbers that the signed site policy names', async () => {
    const file = join(central.dir, 'policy.json');
    writeFileSync(file, JSON.stringify({ time_zone: 'America/New_York', auto_confirm: ['SN-AUTO'] }));
    await central.json('policy', 'sign', file, '--site', 'north', '--keys', central.keysDir);
    const [named, unnamed] = [await makeDevice(), await makeDevice()];
    const auto = await claim(central, server.url, named, await newToken(), {
      hardware: { serial: 'SN-AUTO', macs: [] },
    });
    expect(auto.status).toBe('confirmed');
    expect(auto.enrolled!.policy).not.toBeNull();
    const binding = openBinding(central.root.root, encodeEnvelope(fromEmbedded(auto.enrolled!.binding))).value;
    expect(binding.approver).toBe('auto-confirm');
    const manual = await claim(central, server.url, unnamed, await newToken());
    expect(manual.status).toBe('pending');
  });

  it('stores and logs no enrolment token', async () => {
    const token = await newToken();
    await claim(central, server.url, await makeDevice(), token);
    const files = readdirSync(central.dataDir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
    for (const file of files) {
      expect(readFileSync(join(file.parentPath, file.name)).includes(token), file.name).toBe(false);
    }
    expect(server.log()).toContain('request answered');
    expect(server.log()).not.toContain(token);
  });

  it('refuses to confirm without an operator key of the trust root', async () => {
    const device = await makeDevice();
    await claim(central, server.url, device, await newToken());
    const stranger = await makeCentral();
    const print = fingerprint(device.signer.spki, central.root.digest);
    const result = await central.cli('appliance', 'confirm', print, '--keys', stranger.keysDir, '--json');
    await stranger.remove();
    expect([result.code, JSON.parse(result.stderr).code]).toEqual([7, 'signer_not_in_root']);
  });

  it('refuses to confirm what is not there, and an id that is taken or malformed', async () => {
    const device = await makeDevice();
    await claim(central, server.url, device, await newToken());
    const print = fingerprint(device.signer.spki, central.root.digest);
    const code = async (...args: string[]) => JSON.parse((await confirm(...args, '--json')).stderr).code as string;
    expect(await code('AAAAAAAAAAAAAAAA')).toBe('appliance_unknown');
    expect(await code(print, '--appliance-id', 'front-desk')).toBe('appliance_exists');
    expect(await code(print, '--appliance-id', 'Front Desk')).toBe('usage');
  });
});

function fromEmbedded(e: { payload: string; payloadType: string; signatures: { keyid: string; sig: string }[] }) {
  return {
    payload: Buffer.from(e.payload, 'base64'),
    payloadType: e.payloadType,
    signatures: e.signatures.map((s) => ({ keyid: s.keyid, sig: Buffer.from(s.sig, 'base64') })),
  };
}
