import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ServerResponse } from 'node:http';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
import type { CheckinRequest } from '../../../agent/wire/schemas/checkin.ts';
import { checkinInput } from '../../support/enrolled-appliance.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import {
  openScriptedAppliance,
  ORIGIN,
  problem,
  startScriptedCentral,
  type Script,
  type ScriptedAppliance,
  type ScriptedCentral,
} from '../../support/scripted-central.ts';
import { NOW, signerFrom } from '../../support/trust-fixtures.ts';

let central: ScriptedCentral;
let appliance: ScriptedAppliance;
let honest: Script;
const signal = new AbortController().signal;

beforeAll(async () => {
  central = await startScriptedCentral();
  honest = central.checkin;
});
beforeEach(() => {
  central.checkin = honest;
  central.stored = [];
  central.requests.length = 0;
  appliance = openScriptedAppliance(central);
});
afterEach(() => appliance.close());
afterAll(() => central.server.close());

const checkIn = () => appliance.uplink.checkIn(checkinInput(appliance.uplink.queue()), signal);
const sent = (index: number): CheckinRequest => {
  const { payload } = JSON.parse(central.requests[index]!.body.toString()) as { payload: string };
  return JSON.parse(Buffer.from(payload, 'base64').toString()) as CheckinRequest;
};

function raw(response: ServerResponse, type: string, body: string | Buffer): void {
  response.writeHead(200, { 'content-type': type });
  response.end(body);
}
const DSSE = 'application/vnd.dsse+json';

describe('what a check-in sends', () => {
  it('makes a new nonce, a new key and a higher counter for every try, failed ones included', async () => {
    central.checkin = (_request, response) => problem(response, 503, 'busy');
    await expectCodeAsync(checkIn(), 'http_unavailable');
    central.checkin = honest;
    await checkIn();
    await checkIn();
    const all = [0, 1, 2].map(sent);
    expect(all.map((r) => r.counter)).toEqual([1, 2, 3]);
    expect(new Set(all.map((r) => r.nonce)).size).toBe(3);
    expect(new Set(all.map((r) => r.hpke_public_key)).size).toBe(3);
  });

  it('keeps the counter rising after a restart of the process', async () => {
    await checkIn();
    await appliance.restarted().checkIn(checkinInput(appliance.uplink.queue()), signal);
    expect(sent(1).counter).toBeGreaterThan(sent(0).counter);
  });

  it('packs the request: what is sent is smaller than what is signed', async () => {
    const { bytes } = await checkIn();
    const [request] = central.requests.slice(-1);
    expect(request?.headers['content-encoding']).toBe('gzip');
    expect(Number(request?.headers['content-length'])).toBeLessThan((request?.body.length ?? 0) * 0.85);
    expect(bytes.sent).toBeGreaterThan(Number(request?.headers['content-length']));
  });

  it('says how many entries and bytes wait, and since when', async () => {
    appliance.append(3);
    const [first] = appliance.store.entries.list(1, { fromSeq: 0, limit: 1 });
    const { bytes } = appliance.store.entries.state(1);
    expect(appliance.uplink.queue()).toEqual({ entries: 4, bytes, oldest_at: first!.observedTo });
  });
});

describe('answers that are refused, each with its own code, and leave nothing behind', () => {
  const cases: [string, ErrorCode, Script][] = [
    [
      'an answer to another request',
      'answer_other_request',
      (request) => sign(request, { request_sha256: '0'.repeat(64) }),
    ],
    [
      'an answer for another appliance',
      'answer_other_appliance',
      (request) => sign(request, { appliance_id: 'other-1' }),
    ],
    ['an answer that is valid for no time', 'answer_lifetime', (request) => sign(request, { expires_at: NOW })],
    [
      'an answer that is valid for longer than 5 minutes',
      'answer_lifetime',
      (request) => sign(request, { expires_at: NOW + 301 }),
    ],
    [
      'an answer signed with the order key',
      'signature_invalid',
      (request) => central.trust.sign('checkinAnswer', central.answer(request), central.trust.keys['order']!),
    ],
    [
      'an answer signed with the key of this very device',
      'signature_invalid',
      (request) => central.trust.sign('checkinAnswer', central.answer(request), central.trust.keys['device']!),
    ],
    [
      'an answer signed by a stranger',
      'signature_invalid',
      (request) => central.trust.sign('checkinAnswer', central.answer(request), signerFrom('stranger')),
    ],
    [
      'an answer whose payload was changed after signing',
      'signature_invalid',
      (request) => {
        const envelope = JSON.parse(sign(request, {})) as { payload: string };
        const text = Buffer.from(envelope.payload, 'base64').toString().replace('"info"', '"warn"');
        return JSON.stringify({ ...envelope, payload: Buffer.from(text).toString('base64') });
      },
    ],
    [
      'an answer with an unsigned field beside the envelope',
      'envelope_invalid',
      (request) => JSON.stringify({ ...(JSON.parse(sign(request, {})) as object), orders: [] }),
    ],
    [
      'an answer without any signature',
      'envelope_invalid',
      (request) => JSON.stringify({ ...(JSON.parse(sign(request, {})) as object), signatures: [] }),
    ],
    [
      'another kind of document, signed with the right key',
      'payload_type_mismatch',
      () => central.trust.sign('receipt', central.receipt(), central.trust.keys['timestamp']!),
    ],
    [
      'an answer with a field that the format does not know',
      'schema_invalid',
      (request) => central.trust.signUnchecked('checkinAnswer', { ...central.answer(request), run: 'this' }),
    ],
    [
      'an answer with a duplicate key',
      'json_not_strict',
      (request) => {
        const text = JSON.stringify(central.answer(request)).replace(
          '"next_checkin_s":60',
          '"next_checkin_s":60,"next_checkin_s":1',
        );
        const type = 'application/vnd.compliance-agent.checkin-answer+json';
        return central.trust.signRaw(type, text, central.trust.keys['timestamp']!);
      },
    ],
    ['a web page', 'response_not_expected', (_request, response) => raw(response, 'text/html', '<html>Sign in</html>')],
    [
      'a web page dressed as an answer',
      'response_not_expected',
      (_request, response) => raw(response, DSSE, '<!doctype html><html>'),
    ],
    [
      'garbage of the right type',
      'json_not_strict',
      (_request, response) => raw(response, DSSE, Buffer.from([0, 255, 1, 254])),
    ],
    ['an empty body', 'json_not_strict', (_request, response) => raw(response, DSSE, '')],
    ['10 MB', 'response_too_large', (_request, response) => raw(response, DSSE, Buffer.alloc(10_000_000, 0x20))],
    [
      'half of an answer',
      'response_truncated',
      (request, response) => {
        const line = sign(request, {});
        response.writeHead(200, { 'content-type': DSSE, 'content-length': String(line.length) });
        response.write(line.slice(0, line.length / 2), () => response.socket?.end());
      },
    ],
    ['a refusal', 'http_refused', (_request, response) => problem(response, 403, 'identity_mismatch')],
  ];
  const sign = (request: Parameters<Script>[0], change: Parameters<ScriptedCentral['answer']>[1]) =>
    central.trust.sign('checkinAnswer', central.answer(request, change));

  it.each(cases)('refuses %s (%s)', async (_name, code, script) => {
    appliance.append(2);
    await checkIn();
    const before = appliance.kept();
    central.checkin = script;
    await expectCodeAsync(checkIn(), code);
    expect(appliance.kept()).toEqual(before);
  });

  it('refuses an old answer that is played back', async () => {
    let old: string | null = null;
    central.checkin = (request) => (old ??= sign(request, {}));
    await checkIn();
    const before = appliance.kept();
    await expectCodeAsync(checkIn(), 'answer_other_request');
    expect(appliance.kept()).toEqual(before);
  });

  it('refuses an answer that came more than 60 s after its request, whatever the wall clock says', async () => {
    central.checkin = async (request) => {
      await appliance.clock.advance(60_001);
      appliance.clock.setWall(NOW * 1000);
      return sign(request, {});
    };
    await expectCodeAsync(checkIn(), 'answer_late');
    expect(appliance.store.trust.signedTime()).toBeNull();
  });

  it('takes a good answer although the wall clock is three years off', async () => {
    appliance.clock.setWall((NOW - 3 * 365 * 86_400) * 1000);
    const { signedTime } = await checkIn();
    expect(signedTime.serverTime).toBe(NOW);
  });
});

describe('what a good answer leaves behind', () => {
  it('ties the signed time to the moment at which the request left', async () => {
    const leftAt = appliance.clock.bootMs();
    central.checkin = async (request) => {
      await appliance.clock.advance(20_000);
      return central.trust.sign('checkinAnswer', central.answer(request));
    };
    await checkIn();
    expect(appliance.store.trust.signedTime()).toEqual({
      serverTime: NOW,
      bootMs: leftAt,
      bootId: appliance.clock.bootId(),
    });
  });

  it('says when the signed time went back', async () => {
    expect((await checkIn()).wentBack).toBe(false);
    central.checkin = (request) =>
      central.trust.sign(
        'checkinAnswer',
        central.answer(request, { server_time: NOW - 3_600, expires_at: NOW - 3_500 }),
      );
    expect((await checkIn()).wentBack).toBe(true);
  });

  it('counts the bytes of good and refused answers alike', async () => {
    const { bytes } = await checkIn();
    expect(appliance.store.uplink.bytes()).toEqual(bytes);
    central.checkin = (_request, response) => raw(response, 'text/html', '<html>');
    await expectCodeAsync(checkIn(), 'response_not_expected');
    expect(appliance.store.uplink.bytes().sent).toBeGreaterThan(bytes.sent);
  });

  it('moves the pointer back to what Central Command still holds, and never forwards', async () => {
    appliance.append(9);
    await appliance.uplink.uploadOnce(signal);
    expect(appliance.uplink.storedSize()).toBe(10);
    central.stored.length = 4;
    const { alerts } = await checkIn();
    expect([appliance.uplink.storedSize(), alerts]).toEqual([4, []]);
    await appliance.uplink.uploadOnce(signal);
    expect(appliance.uplink.storedSize()).toBe(10);
    appliance.append(5);
    central.stored = appliance.store.entries.range(1, 0, { maxEntries: 100, maxBytes: 1e9 }).map(({ line }) => line);
    await checkIn();
    expect(appliance.uplink.storedSize()).toBe(10);
  });

  it.each([
    ['at our size', 10],
    ['beyond the last receipt', 7],
  ])('raises an alert when Central Command names another root %s', async (_name, size) => {
    appliance.append(4);
    await appliance.uplink.uploadOnce(signal);
    appliance.append(5);
    central.checkin = (request) =>
      central.trust.sign('checkinAnswer', central.answer(request, { stored: { size, root: 'ab'.repeat(32) } }));
    const { alerts } = await checkIn();
    expect(alerts.map((alert) => alert.code)).toEqual(['evidence_diverged']);
    expect(appliance.uplink.storedSize()).toBe(5);
  });

  it('raises an alert when Central Command holds more entries than this log has', async () => {
    central.checkin = (request) =>
      central.trust.sign('checkinAnswer', central.answer(request, { stored: { size: 500, root: 'ab'.repeat(32) } }));
    expect((await checkIn()).alerts.map((alert) => alert.code)).toEqual(['evidence_diverged']);
  });

  it('keeps a receipt that an upload did not get to see', async () => {
    appliance.append(4);
    central.stored = appliance.store.entries.range(1, 0, { maxEntries: 100, maxBytes: 1e9 }).map(({ line }) => line);
    const receipt = central.trust.embed('receipt', central.receipt());
    central.checkin = (request) =>
      central.trust.sign('checkinAnswer', central.answer(request, { receipts: [receipt] }));
    await checkIn();
    expect(appliance.store.uplink.latestReceipt(ORIGIN)).toMatchObject({ size: 5, root: appliance.evidence.root() });
  });

  it.each([
    ['of another log', { origin: 'logs.northern-it.example/other-1/1' }, 'receipt_mismatch'],
    ['over more entries than there are', { size: 99 }, 'receipt_mismatch'],
    ['over another root', { root: 'ab'.repeat(32) }, 'evidence_diverged'],
  ])('keeps no receipt %s and raises an alert', async (_name, change, code) => {
    const receipt = central.trust.embed(
      'receipt',
      central.receipt({ size: 1, root: appliance.evidence.root(), ...change }),
    );
    central.checkin = (request) =>
      central.trust.sign('checkinAnswer', central.answer(request, { receipts: [receipt] }));
    expect((await checkIn()).alerts.map((alert) => alert.code)).toEqual([code]);
    expect(appliance.store.uplink.receipts(ORIGIN)).toEqual([]);
  });

  it('keeps no receipt that another role signed', async () => {
    const receipt = central.trust.embed('receipt', central.receipt(), central.trust.keys['timestamp']!);
    central.checkin = (request) =>
      central.trust.sign('checkinAnswer', central.answer(request, { receipts: [receipt] }));
    expect((await checkIn()).alerts.map((alert) => alert.code)).toEqual(['signature_invalid']);
    expect(appliance.store.uplink.receipts(ORIGIN)).toEqual([]);
  });
});
