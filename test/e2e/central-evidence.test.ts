import { chmodSync, readdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leafHash, rootOfLeaves } from '../../agent/wire/merkle.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import {
  checkIn,
  enrolDevice,
  evidenceLines,
  makeDevice,
  postEvidence,
  upload,
  type Answer,
  type Enrolled,
} from '../support/device.ts';

let central: TestCentral;
let server: RunningCentral;

beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve();
}, 60_000);
afterAll(async () => central.remove());

let made = 0;
const newAppliance = (): Promise<Enrolled> => enrolDevice(central, server.url, `box-${(made += 1)}`);
const folderOf = (me: Enrolled): string => join(central.dataDir, 'evidence', me.origin.replaceAll('/', '_'));
const rootOf = (lines: string[]): string => rootOfLeaves(lines.map((line) => leafHash(line))).toString('hex');
const problem = (answer: Answer) => ({ status: answer.status, ...(JSON.parse(answer.body) as { code: string }) });
const post = (me: Enrolled, first: number, lines: string[], o = {}) =>
  postEvidence(central, server.url, me, first, lines, o);

describe('evidence at Central Command', () => {
  it('stores the exact bytes once in read-only files and answers a repeated upload the same way', async () => {
    const me = await newAppliance();
    const lines = evidenceLines(me, 4);
    await upload(central, server.url, me, 0, lines.slice(0, 2));
    const again = await upload(central, server.url, me, 0, lines);
    expect(again).toMatchObject({ size: 4, root: rootOf(lines), stored_unverified: [] });
    expect(await upload(central, server.url, me, 0, lines)).toMatchObject({ size: 4, root: rootOf(lines) });
    expect(await upload(central, server.url, me, 1, lines.slice(1, 3))).toMatchObject({ size: 4 });
    const files = readdirSync(folderOf(me)).sort();
    expect(files).toEqual(['000000000000-000000000001.jsonl', '000000000002-000000000003.jsonl']);
    const stored = files.map((name) => readFileSync(join(folderOf(me), name), 'utf8')).join('');
    expect(stored).toBe(lines.map((line) => `${line}\n`).join(''));
    for (const name of files) expect(statSync(join(folderOf(me), name)).mode & 0o777).toBe(0o444);
    const exported = await central.cli('evidence', 'export-lines', '--origin', me.origin);
    expect(exported.stdout).toBe(stored);
  });

  it('refuses other bytes under a stored number, keeps both and raises an alarm', async () => {
    const me = await newAppliance();
    const [lines, forged] = [evidenceLines(me, 3), evidenceLines(me, 4, 1_800_000_000)];
    await upload(central, server.url, me, 0, lines);
    const answer = await post(me, 1, forged.slice(1));
    expect(problem(answer)).toMatchObject({ status: 409, code: 'evidence_conflict', seq: 1 });
    const kept = readdirSync(join(folderOf(me), 'conflicts'));
    expect(kept).toHaveLength(2);
    const text = kept.map((name) => readFileSync(join(folderOf(me), 'conflicts', name), 'utf8')).sort();
    expect(text).toEqual([`${forged[1]}\n`, `${forged[2]}\n`].sort());
    // The same conflict again keeps nothing twice, and what is stored stays what it was.
    expect((await post(me, 1, forged.slice(1))).code).toBe('evidence_conflict');
    expect(readdirSync(join(folderOf(me), 'conflicts'))).toHaveLength(2);
    expect((await checkIn(central, server.url, me)).stored).toEqual({ size: 3, root: rootOf(lines) });
    const { alarms } = await central.json<{ alarms: { kind: string; subject: string }[] }>('appliance', 'alarms');
    expect(alarms).toContainEqual(expect.objectContaining({ kind: 'evidence_conflict', subject: me.origin }));
  });

  it('refuses a gap and says where to go on', async () => {
    const me = await newAppliance();
    const lines = evidenceLines(me, 5);
    expect(problem(await post(me, 2, lines.slice(2)))).toMatchObject({ code: 'evidence_gap', expected_seq: 0 });
    await upload(central, server.url, me, 0, lines.slice(0, 2));
    const gap = problem(await post(me, 3, lines.slice(3)));
    expect(gap).toMatchObject({ status: 422, code: 'evidence_gap', expected_seq: 2 });
    expect(await upload(central, server.url, me, 2, lines.slice(2))).toMatchObject({ size: 5, root: rootOf(lines) });
  });

  it('stores lines that do not verify and names each with its code in the receipt, also when they come again', async () => {
    const me = await newAppliance();
    const lines = evidenceLines(me, 4);
    const foreign = evidenceLines({ ...me, device: await makeDevice() }, 3)[2]!;
    const bad = [lines[0]!, lines[1]!, foreign, 'not json', lines[2]!];
    const expected = [
      { seq: 2, code: 'signature_invalid' },
      { seq: 3, code: 'json_not_strict' },
      { seq: 4, code: 'entry_seq' },
    ];
    const receipt = await upload(central, server.url, me, 0, bad);
    expect(receipt).toMatchObject({ size: 5, root: rootOf(bad), stored_unverified: expected });
    expect((await upload(central, server.url, me, 2, bad.slice(2))).stored_unverified).toEqual(expected);
    expect((await upload(central, server.url, me, 0, bad.slice(0, 2))).stored_unverified).toEqual([]);
    const verdict = await central.cli('evidence', 'verify', '--origin', me.origin, '--json');
    expect(verdict.code).toBe(4);
    expect(JSON.parse(verdict.stdout).logs).toMatchObject([{ ok: false, seq: 2, code: 'signature_invalid' }]);
  });

  it('stores bytes that are no text exactly as they came', async () => {
    const me = await newAppliance();
    const raw = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x0a]);
    const answer = await post(me, 0, [], { raw: gzipSync(raw) });
    expect(answer.status).toBe(200);
    const [name] = readdirSync(folderOf(me));
    expect(readFileSync(join(folderOf(me), name!)).equals(raw)).toBe(true);
  });

  it('takes evidence only for the log that is bound to the appliance', async () => {
    const [me, other] = [await newAppliance(), await newAppliance()];
    const lines = evidenceLines(me, 1);
    const foreign = await post(me, 0, lines, { origin: other.origin });
    expect(problem(foreign)).toMatchObject({ status: 403, code: 'origin_not_bound' });
    const crossed = await post(me, 0, lines, { tls: other.tls });
    expect(problem(crossed)).toMatchObject({ status: 403, code: 'origin_not_bound' });
    const never = await post(me, 0, lines, { origin: 'acme.internal/box-1/2' });
    expect(never.code).toBe('origin_not_bound');
    for (const origin of ['../../etc', 'acme.internal_box-1_1', 'ACME/x/1', 'a/../1']) {
      expect((await post(me, 0, lines, { origin })).code).toBe('request_malformed');
    }
  });

  it('refuses bad framing without storing anything', async () => {
    const me = await newAppliance();
    const bodies: [Buffer, string][] = [
      [Buffer.from('not gzip'), 'evidence_framing'],
      [gzipSync(''), 'evidence_framing'],
      [gzipSync('{"a":1}'), 'evidence_framing'],
      [gzipSync('\n'), 'evidence_framing'],
      [gzipSync('a\n\nb\n'), 'evidence_framing'],
      [gzipSync(`${'x'.repeat(65_536)}\n`), 'evidence_framing'],
      [gzipSync('x\n'.repeat(501)), 'body_too_large'],
      [gzipSync('x\n').subarray(0, 12), 'evidence_framing'],
    ];
    for (const [raw, code] of bodies) expect((await post(me, 0, [], { raw })).code).toBe(code);
    for (const seq of ['-1', '1.5', '1e3', '01', '9007199254740993', 'x']) {
      const answer = await post(me, 0, ['x'], { headers: { 'x-evidence-first-seq': seq } });
      expect(answer.code).toBe('request_malformed');
    }
    expect((await post(me, 0, ['x'], { headers: { 'content-encoding': 'br' } })).code).toBe('media_type_unsupported');
    expect((await checkIn(central, server.url, me)).stored.size).toBe(0);
  });

  it('refuses a compression bomb without unpacking it', async () => {
    const me = await newAppliance();
    const raw = gzipSync(Buffer.alloc(512 * 1024 * 1024));
    expect(raw.length).toBeLessThan(1024 * 1024);
    const before = memoryOf(server);
    const answer = await post(me, 0, [], { raw });
    expect([answer.status, answer.code]).toEqual([413, 'body_too_large']);
    expect(memoryOf(server) - before).toBeLessThan(128 * 1024 * 1024);
  });

  it('keeps concurrent uploads of one log in order', async () => {
    const me = await newAppliance();
    const lines = evidenceLines(me, 40);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => upload(central, server.url, me, 0, lines).then((receipt) => receipt.size)),
    );
    expect(answers).toEqual(Array.from({ length: 8 }, () => 40));
    expect(readdirSync(folderOf(me))).toEqual(['000000000000-000000000039.jsonl']);
  });
});

describe('evidence after a restart of Central Command', () => {
  it('goes on where it was', async () => {
    const me = await newAppliance();
    const lines = evidenceLines(me, 6);
    await upload(central, server.url, me, 0, lines.slice(0, 3));
    await restart();
    expect((await checkIn(central, server.url, me)).stored).toEqual({ size: 3, root: rootOf(lines.slice(0, 3)) });
    expect(await upload(central, server.url, me, 2, lines.slice(2))).toMatchObject({ size: 6, root: rootOf(lines) });
  });

  it('refuses to vouch for a log whose file was changed, says so, and serves every other log', async () => {
    const [me, other] = [await newAppliance(), await newAppliance()];
    const lines = evidenceLines(me, 6);
    await upload(central, server.url, me, 0, lines.slice(0, 3));
    await upload(central, server.url, me, 3, lines.slice(3, 5));
    await upload(central, server.url, other, 0, evidenceLines(other, 2));
    await server.stop();
    const file = join(folderOf(me), '000000000003-000000000004.jsonl');
    chmodSync(file, 0o644);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"payload":"(.)/, '"payload":"$1A'));
    server = await central.serve();
    expect(server.log()).toContain('evidence_damaged');
    const refused = problem(await post(me, 5, lines.slice(5)));
    expect(refused).toMatchObject({ status: 503, code: 'evidence_damaged' });
    const answer = await checkIn(central, server.url, me);
    expect(answer.receipts).toEqual([]);
    expect(answer.stored).toEqual({ size: 3, root: rootOf(lines.slice(0, 3)) });
    expect((await checkIn(central, server.url, other)).receipts).toHaveLength(1);
    const { alarms } = await central.json<{ alarms: { kind: string; subject: string }[] }>('appliance', 'alarms');
    expect(alarms).toContainEqual(expect.objectContaining({ kind: 'evidence_damaged', subject: me.origin }));
    expect((await central.cli('evidence', 'verify', '--origin', me.origin)).code).toBe(4);
  });

  it('calls a log that is gone altogether unverifiable, not empty', async () => {
    const me = await newAppliance();
    await upload(central, server.url, me, 0, evidenceLines(me, 2));
    rmSync(folderOf(me), { recursive: true });
    const verdict = await central.cli('evidence', 'verify', '--origin', me.origin, '--json');
    expect(verdict.code).toBe(4);
    expect(JSON.parse(verdict.stdout).logs).toMatchObject([{ ok: false, size: 0 }]);
    await server.stop();
    server = await central.serve();
    expect(server.log()).toContain('evidence_tail_missing');
    expect(await upload(central, server.url, me, 0, evidenceLines(me, 2))).toMatchObject({ size: 2 });
  });

  it('takes a lost tail again only as it was', async () => {
    const me = await newAppliance();
    const [lines, forged] = [evidenceLines(me, 5), evidenceLines(me, 5, 1_800_000_000)];
    await upload(central, server.url, me, 0, lines.slice(0, 2));
    await upload(central, server.url, me, 2, lines.slice(2, 4));
    await server.stop();
    unlinkSync(join(folderOf(me), '000000000002-000000000003.jsonl'));
    server = await central.serve();
    expect(server.log()).toContain('evidence_tail_missing');
    const answer = await checkIn(central, server.url, me);
    expect(answer.stored).toEqual({ size: 2, root: rootOf(lines.slice(0, 2)) });
    expect(answer.receipts).toEqual([]);
    expect((await post(me, 2, forged.slice(2))).code).toBe('evidence_conflict');
    expect(await upload(central, server.url, me, 2, lines.slice(2))).toMatchObject({ size: 5, root: rootOf(lines) });
  });
});

async function restart(): Promise<void> {
  await server.stop();
  server = await central.serve();
}

/** Resident bytes of the server's process. */
function memoryOf(running: RunningCentral): number {
  const text = readFileSync(`/proc/${running.process.pid}/status`, 'utf8');
  return Number(/VmHWM:\s+([0-9]+) kB/.exec(text)![1]) * 1024;
}
