import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gunzipSync } from 'node:zlib';
import type { ErrorCode } from '../../../agent/errors/codes.ts';
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
import { NOW } from '../../support/trust-fixtures.ts';

let central: ScriptedCentral;
let appliance: ScriptedAppliance;
let honest: Script;
const signal = new AbortController().signal;
const MINUTE_MS = 60_000;

beforeAll(async () => {
  central = await startScriptedCentral();
  honest = central.evidence;
});
beforeEach(() => {
  central.evidence = honest;
  central.stored = [];
  central.requests.length = 0;
  appliance = openScriptedAppliance(central);
});
afterEach(() => appliance.close());
afterAll(() => central.server.close());

const upload = () => appliance.uplink.uploadOnce(signal);
const checkIn = () => appliance.uplink.checkIn(checkinInput(appliance.uplink.queue()), signal);
const uploads = () => central.requests.filter((request) => request.path.endsWith('/evidence'));
const refuse =
  (status: number, code: string, fields: Record<string, unknown> = {}): Script =>
  (_request, response) =>
    problem(response, status, code, { fields });
const linesOf = (body: Buffer): string[] => gunzipSync(body).toString().split('\n').slice(0, -1);

describe('uploading evidence', () => {
  it('sends exact lines in order and moves the pointer by the receipt', async () => {
    appliance.append(6);
    expect(await upload()).toEqual({ uploaded: 7, storedSize: 7, remaining: 0, parked: null });
    const own = appliance.store.entries.range(1, 0, { maxEntries: 10, maxBytes: 1e9 }).map(({ line }) => line);
    expect(linesOf(uploads()[0]!.body)).toEqual(own);
    expect(uploads()[0]!.headers).toMatchObject({
      'x-evidence-origin': ORIGIN,
      'x-evidence-first-seq': '0',
      'content-type': 'application/x-ndjson',
      'content-encoding': 'gzip',
    });
    expect(appliance.store.uplink.latestReceipt(ORIGIN)).toMatchObject({ size: 7, root: appliance.evidence.root() });
  });

  it('sends nothing when nothing waits', async () => {
    await upload();
    await upload();
    expect(uploads()).toHaveLength(1);
  });

  it('puts at most 500 entries into one upload and goes on where the receipt ended', async () => {
    appliance.append(749);
    expect(await upload()).toMatchObject({ uploaded: 500, remaining: 250 });
    expect(await upload()).toMatchObject({ uploaded: 250, remaining: 0 });
    expect(uploads().map((request) => request.headers['x-evidence-first-seq'])).toEqual(['0', '500']);
  });

  it('goes on after a restart without reading the log from its start', async () => {
    appliance.append(29);
    await upload();
    appliance.append(5);
    expect(await appliance.restarted().uploadOnce(signal)).toMatchObject({ uploaded: 5, storedSize: 35 });
  });

  it('takes a receipt that covers more than was sent, because an earlier one was lost', async () => {
    appliance.append(3);
    await upload();
    appliance.append(600);
    const all = appliance.store.entries.range(1, 0, { maxEntries: 1_000, maxBytes: 1e9 }).map(({ line }) => line);
    central.stored = all.slice(0, 550);
    expect(await upload()).toMatchObject({ uploaded: 546, storedSize: 550, remaining: 54 });
    expect(await upload()).toMatchObject({ uploaded: 54, remaining: 0 });
    expect(central.stored).toEqual(all);
  });

  it('says which entries Central Command could not verify, and counts them as stored', async () => {
    central.evidence = async (request, response) => {
      await honest(request, response);
      const bad = [{ seq: 0, code: 'schema_invalid' }];
      return central.trust.sign('receipt', central.receipt({ stored_unverified: bad }));
    };
    expect(await upload()).toMatchObject({ uploaded: 1, remaining: 0 });
    expect(appliance.log.phrases()).toContain('central command could not verify an entry');
  });
});

describe('receipts that do not hold', () => {
  const cases: [string, ErrorCode, Script][] = [
    ['of another log', 'receipt_mismatch', () => sign({ origin: 'logs.northern-it.example/other-1/1' })],
    ['over fewer entries than were sent', 'receipt_mismatch', () => sign({ size: 1 })],
    ['over more entries than there are', 'receipt_mismatch', () => sign({ size: 999 })],
    ['over another root', 'evidence_diverged', () => sign({ root: 'ab'.repeat(32) })],
    [
      'signed by the timestamp key',
      'signature_invalid',
      () => central.trust.sign('receipt', central.receipt(), central.trust.keys['timestamp']!),
    ],
    [
      'signed by the device itself',
      'signature_invalid',
      () => central.trust.sign('receipt', central.receipt(), central.trust.keys['device']!),
    ],
    [
      'that is a check-in answer',
      'payload_type_mismatch',
      (request) => central.trust.sign('checkinAnswer', central.answer(request, { request_sha256: '0'.repeat(64) })),
    ],
  ];
  const sign = (change: Parameters<ScriptedCentral['receipt']>[0]) =>
    central.trust.sign('receipt', central.receipt({ size: 3, root: appliance.evidence.root(), ...change }));

  it.each(cases)('parks after a receipt %s (%s) and keeps pointer and entries', async (_name, code, script) => {
    appliance.append(2);
    central.evidence = script;
    const { parked, uploaded } = await upload();
    expect([parked?.code, uploaded]).toEqual([code, 0]);
    expect(appliance.uplink.storedSize()).toBe(0);
    expect(appliance.store.uplink.receipts(ORIGIN)).toEqual([]);
    expect(appliance.evidence.size()).toBe(3);
    // With an honest answer the same entries go through.
    central.evidence = honest;
    await appliance.clock.advance(5 * MINUTE_MS);
    expect(await upload()).toMatchObject({ uploaded: 3, remaining: 0, parked: null });
  });
});

describe('refused uploads', () => {
  it.each([
    [400, 'request_malformed'],
    [401, 'client_certificate_missing'],
    [403, 'origin_not_bound'],
    [409, 'evidence_conflict'],
    [413, 'body_too_large'],
  ])('parks at status %i with the code of Central Command (%s) and deletes nothing', async (status, code) => {
    appliance.append(4);
    const root = appliance.evidence.root();
    central.evidence = refuse(status, code);
    expect(await upload()).toMatchObject({ uploaded: 0, remaining: 5, parked: { code, until: NOW + 300 } });
    expect([appliance.evidence.size(), appliance.evidence.root()]).toEqual([5, root]);
    expect(appliance.log.phrases()).toEqual(['upload parked']);
  });

  it('tries again after 5 minutes, then 10, up to 60, also across restarts', async () => {
    central.evidence = refuse(403, 'origin_not_bound');
    for (const minutes of [5, 10, 20, 40, 60, 60]) {
      const { parked } = await upload();
      expect(parked!.until).toBe(appliance.clock.wallMs() / 1000 + minutes * 60);
      const tried = uploads().length;
      await appliance.clock.advance(minutes * MINUTE_MS - 1_000);
      await appliance.restarted().uploadOnce(signal);
      expect(uploads()).toHaveLength(tried);
      await appliance.clock.advance(1_000);
    }
    central.evidence = honest;
    expect(await upload()).toMatchObject({ uploaded: 1, parked: null });
    expect(appliance.store.uplink.parked(ORIGIN)).toBeNull();
  });

  it('tries one entry after each good check-in while parked, and goes on in full once that is taken', async () => {
    appliance.append(9);
    central.evidence = refuse(403, 'origin_not_bound');
    const first = await upload();
    await checkIn();
    const probe = await upload();
    expect(linesOf(uploads()[1]!.body)).toHaveLength(1);
    // The probe does not stretch the pause.
    expect(probe.parked).toEqual(first.parked === null ? null : expect.objectContaining({ until: first.parked.until }));
    await upload();
    expect(uploads()).toHaveLength(2);
    central.evidence = honest;
    await checkIn();
    expect(await upload()).toMatchObject({ uploaded: 1, remaining: 9, parked: null });
    expect(await upload()).toMatchObject({ uploaded: 9, remaining: 0 });
  });

  it('moves the pointer back to the entry that Central Command expects', async () => {
    appliance.append(9);
    await upload();
    appliance.append(5);
    central.evidence = refuse(422, 'evidence_gap', { expected_seq: 4 });
    expect(await upload()).toMatchObject({ uploaded: 0, storedSize: 4, parked: null });
    central.stored.length = 4;
    central.evidence = honest;
    expect(await upload()).toMatchObject({ uploaded: 11, storedSize: 15 });
    expect(central.stored).toHaveLength(15);
  });

  it('does not skip entries when Central Command claims to expect later ones', async () => {
    appliance.append(9);
    central.evidence = refuse(422, 'evidence_gap', { expected_seq: 8 });
    expect(await upload()).toMatchObject({ storedSize: 0, parked: { code: 'evidence_gap' } });
  });

  it('is not parked for years by a wall clock that was far ahead', async () => {
    appliance.clock.setWall((NOW + 3 * 365 * 86_400) * 1000);
    central.evidence = refuse(403, 'origin_not_bound');
    await upload();
    appliance.clock.setWall(NOW * 1000);
    central.evidence = honest;
    expect(await upload()).toMatchObject({ uploaded: 1, parked: null });
  });
});

describe('uploads while the way or the server is out of order', () => {
  it.each([500, 502, 503, 504, 429, 408])(
    'waits after status %i, longer each time, without asking in between',
    async (status) => {
      central.evidence = refuse(status, 'busy');
      await expectCodeAsync(upload(), 'http_unavailable');
      await expectCodeAsync(upload(), 'http_unavailable');
      expect(uploads()).toHaveLength(1);
      await appliance.clock.advance(5_000);
      await expectCodeAsync(upload(), 'http_unavailable');
      expect(uploads()).toHaveLength(2);
      expect(appliance.store.uplink.parked(ORIGIN)).toBeNull();
      central.evidence = honest;
      await appliance.clock.advance(10_000);
      expect(await upload()).toMatchObject({ uploaded: 1 });
    },
  );

  it('waits as long as Retry-After says, even when check-ins are answered', async () => {
    central.evidence = (_request, response) => problem(response, 503, 'busy', { headers: { 'retry-after': '120' } });
    await expectCodeAsync(upload(), 'http_unavailable');
    central.evidence = honest;
    await appliance.clock.advance(119_000);
    await checkIn();
    await expectCodeAsync(upload(), 'http_unavailable');
    expect(uploads()).toHaveLength(1);
    await appliance.clock.advance(1_000);
    expect(await upload()).toMatchObject({ uploaded: 1 });
  });

  it('tries again at once after a good check-in when the network was the cause', async () => {
    central.evidence = (_request, response) => void response.socket?.destroy();
    await expectCodeAsync(upload(), 'response_truncated');
    central.evidence = honest;
    await expectCodeAsync(upload(), 'response_truncated');
    await checkIn();
    expect(await upload()).toMatchObject({ uploaded: 1 });
  });

  it.each([
    ['a web page', 'text/html', '<html>Please sign in</html>'],
    ['an unsigned thank-you', 'application/json', '{"ok":true}'],
  ])('does not take %s for a receipt', async (_name, type, body) => {
    central.evidence = (_request, response) => {
      response.writeHead(200, { 'content-type': type });
      response.end(body);
    };
    await expectCodeAsync(upload(), 'response_not_expected');
    expect(appliance.uplink.storedSize()).toBe(0);
  });
});
