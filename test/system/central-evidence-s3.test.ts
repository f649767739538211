import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../tools/demo/process.ts';
import { makeCentral, run, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { linesOnDisk } from '../support/crash-runs.ts';
import { demoSite } from '../support/demo-site.ts';
import { checkIn, enrolDevice, evidenceLines, postEvidence, upload, type Enrolled } from '../support/device.ts';
import { startGateProxy, type GateProxy } from '../support/gate-proxy.ts';
import { startS3, whyNoS3, type S3Server } from '../support/radosgw.ts';
import { s3Lab, type S3Lab } from '../support/s3-place.ts';

const WITHIN_MS = 120_000;
const LOG = 'acme.internal_north-1_1';
const why = whyNoS3();
let server: S3Server;
let s3: S3Lab;
let gate: GateProxy;
const kept = { ...process.env };

beforeAll(async () => {
  if (why !== null) return;
  server = await startS3();
  s3 = s3Lab(server);
  gate = await startGateProxy(Number(new URL(server.endpoint).port));
  Object.assign(process.env, server.env);
}, 600_000);
afterAll(async () => {
  for (const name of Object.keys(server?.env ?? {})) delete process.env[name];
  Object.assign(process.env, kept);
  await gate?.close();
  s3?.close();
  await server?.end();
});

/** A place in a new bucket, behind the gate. */
async function newPlace(): Promise<{ bucket: string; address: string }> {
  const bucket = await s3.bucket();
  return { bucket, address: s3.address(bucket, 'acme', `http://127.0.0.1:${gate.port}`) };
}

describe('Central Command on a bucket with Object Lock', () => {
  let central: TestCentral;
  let running: RunningCentral;
  let me: Enrolled;
  let bucket: string;
  let address: string;
  let lines: string[];
  beforeEach(async (context) => {
    context.skip(why !== null, why ?? '');
    gate.set('open');
    ({ bucket, address } = await newPlace());
    central = await makeCentral();
    running = await central.serve('--evidence-store', address);
    me = await enrolDevice(central, running.url, 'north-1');
    lines = evidenceLines(me, 12);
    return async () => {
      gate.set('open');
      await central.remove();
    };
  });
  const restart = async (): Promise<void> => {
    await running.stop('SIGKILL');
    running = await central.serve();
  };
  const part = (from: number, to: number): Promise<{ size: number }> =>
    upload(central, running.url, me, from, lines.slice(from, to));
  const receipted = async (): Promise<number> =>
    (await central.json<{ logs: { receipted: number }[] }>('evidence', 'list')).logs[0]?.receipted ?? 0;
  const allIsWell = async (size: number): Promise<void> => {
    const { logs } = await central.json<{ logs: { ok: boolean }[] }>('evidence', 'verify');
    expect(logs).toMatchObject([{ ok: true, size }]);
    await restart();
    const passed = async (): Promise<unknown> => {
      const { state, findings } = await central.json<{ state: { completed_at: number } | null; findings: unknown[] }>(
        'evidence',
        'audit',
      );
      return state?.completed_at == null ? null : findings;
    };
    expect(await until('the audit went through', passed, WITHIN_MS)).toEqual([]);
  };

  it('stores uploads there, names object, version and retention in receipts, and goes on after a restart', async () => {
    const first = await upload(central, running.url, me, 0, lines.slice(0, 3));
    const [object] = await s3.versions(bucket, `acme/${LOG}/`);
    expect(first).toMatchObject({
      size: 3,
      store: 's3',
      object_id: `${bucket}/acme/${LOG}/000000000000.jsonl?versionId=${object?.version}`,
    });
    expect(first.retain_until - first.stored_at).toBeGreaterThanOrEqual(7 * 365 * 86_400);
    await restart();
    expect(await part(3, 6)).toMatchObject({ size: 6 });
    // A repeated upload is answered by what is there.
    expect(await part(0, 6)).toMatchObject({ size: 6 });
    expect(await s3.versions(bucket, `acme/${LOG}/`)).toHaveLength(2);
    await allIsWell(6);
  });

  it.each([
    ['is away', 'shut'],
    ['hangs', 'hang'],
  ] as const)(
    'answers uploads with 503 and receipts nothing while the store %s, answers check-ins, and alarms',
    async (_what, how) => {
      await part(0, 3);
      gate.set(how);
      const answer = postEvidence(central, running.url, me, 3, lines.slice(3, 6));
      // Meanwhile, not after it.
      expect((await checkIn(central, running.url, me)).stored.size).toBe(3);
      const refused = await answer;
      expect(refused).toMatchObject({ status: 503, code: 'evidence_store_unreachable' });
      expect(refused.headers['retry-after']).toBeDefined();
      const alarms = async (): Promise<unknown> => await central.json('appliance', 'alarms');
      const alarm = { kind: 'evidence_store_failing', detail: 'evidence_store_unreachable' };
      expect(await alarms()).toMatchObject({ alarms: [{ ...alarm, cleared_at: null }] });
      gate.set('open');
      expect(await receipted()).toBe(3);
      expect(await part(3, 6)).toMatchObject({ size: 6 });
      expect(await alarms()).toMatchObject({ alarms: [{ ...alarm, cleared_at: expect.any(Number) as number }] });
      await allIsWell(6);
    },
  );

  it('gives no receipt when the answer of the store is lost, and takes what was stored for what it is with the next upload', async () => {
    gate.set('mute');
    const refused = await postEvidence(central, running.url, me, 0, lines.slice(0, 3));
    expect(refused).toMatchObject({ status: 503, code: 'evidence_store_unreachable' });
    expect(await s3.versions(bucket, `acme/${LOG}/`)).not.toHaveLength(0);
    gate.set('open');
    expect(await receipted()).toBe(0);
    // Other parts than the first time: the box had more to say meanwhile.
    expect(await part(0, 7)).toMatchObject({ size: 7 });
    await allIsWell(7);
  });

  it('killed between the object and its own record, has given no receipt and doubles nothing', async () => {
    await part(0, 2);
    gate.set('mute');
    const cut = postEvidence(central, running.url, me, 2, lines.slice(2, 5)).catch(() => null);
    const stored = async (): Promise<true | null> =>
      (await s3.versions(bucket, `acme/${LOG}/000000000002`)).length > 0 ? true : null;
    await until('the object is there', stored, WITHIN_MS);
    await running.stop('SIGKILL');
    await cut;
    gate.set('open');
    expect(await receipted()).toBe(2);
    running = await central.serve();
    expect((await checkIn(central, running.url, me)).stored.size).toBe(5);
    expect(await part(2, 8)).toMatchObject({ size: 8 });
    await allIsWell(8);
  });

  it('takes its own evidence over again with an older backup of its database', async () => {
    await part(0, 3);
    await running.stop();
    const backup = join(central.dir, 'backup');
    cpSync(central.dataDir, backup, { recursive: true });
    running = await central.serve();
    await part(3, 6);
    await running.stop();
    rmSync(central.dataDir, { recursive: true });
    cpSync(backup, central.dataDir, { recursive: true });
    running = await central.serve();
    expect((await checkIn(central, running.url, me)).stored.size).toBe(6);
    await part(3, 9);
    await allIsWell(9);
  });

  it('keeps one log when a copy of the same installation serves beside it', async () => {
    await part(0, 2);
    await running.stop();
    const copyDir = join(central.dir, 'copy');
    cpSync(central.dataDir, copyDir, { recursive: true });
    running = await central.serve();
    const copy = await central.serve('--data', copyDir);
    const answers: number[] = [];
    for (let size = 2; size < 12; size += 2) {
      const url = size % 4 === 0 ? copy.url : running.url;
      // One that is behind says so, takes over what the other stored, and answers the repetition.
      for (let tries = 0; tries < 2; tries++) {
        const answer = await postEvidence(central, url, me, size - 2, lines.slice(size - 2, size + 2));
        answers.push(answer.status);
        if (answer.status === 200) break;
      }
      expect(answers.at(-1), answers.join(' ')).toBe(200);
    }
    await copy.stop();
    await allIsWell(12);
  });

  it('refuses to start on the prefix of another installation, and beside its own evidence', async () => {
    await part(0, 1);
    const other = await makeCentral();
    try {
      const foreign = await other.cli(
        'serve',
        '--plain-keys',
        '--listen',
        '127.0.0.1:0',
        '--evidence-store',
        address,
        '--json',
      );
      expect(foreign).toMatchObject({ code: 5, stderr: expect.stringContaining('evidence_store_foreign') as string });
    } finally {
      await other.remove();
    }
    await running.stop();
    const moved = await central.cli(
      'serve',
      '--plain-keys',
      '--listen',
      '127.0.0.1:0',
      '--evidence-store',
      'folder',
      '--json',
    );
    expect(moved).toMatchObject({ code: 2, stderr: expect.stringContaining('evidence_store_changed') as string });
  });

  it('keeps its credentials out of its log and its answers', async () => {
    await part(0, 1);
    gate.set('shut');
    const { body } = await postEvidence(central, running.url, me, 1, lines.slice(1, 2));
    gate.set('open');
    // The answer may be here before the line that its process has written.
    await until(
      'it is logged',
      () => (running.log().includes('evidence_store_unreachable') ? true : null),
      30_000,
      () => running.log(),
    );
    for (const secret of [server.secretAccessKey, server.accessKeyId]) {
      expect(running.log()).not.toContain(secret);
      expect(body).not.toContain(secret);
    }
  });
});

describe('serve with a bucket that will not do', () => {
  let central: TestCentral;
  beforeEach(async (context) => {
    context.skip(why !== null, why ?? '');
    gate.set('open');
    central = await makeCentral();
    return async () => central.remove();
  });
  const refused = (address: string): Promise<{ code: number; stderr: string }> =>
    run([
      'serve',
      '--plain-keys',
      '--data',
      central.dataDir,
      '--listen',
      '127.0.0.1:0',
      '--evidence-store',
      address,
      '--json',
    ]);

  it('ends with a code and a remedy: no Object Lock, no bucket, nobody there, secrets on the command line', async () => {
    const cases: [string, number, string][] = [
      [s3.address(await s3.bucket({ lock: false, versions: true })), 5, 'evidence_store_unlocked'],
      [s3.address('evidence-that-is-not-there'), 5, 'evidence_store_unlocked'],
      [s3.address('evidence', 'x', 'http://127.0.0.1:1'), 3, 'evidence_store_unreachable'],
      ['s3://key:secret@evidence/x', 2, 'usage'],
    ];
    for (const [address, code, name] of cases) {
      const ended = await refused(address);
      const said = JSON.parse(ended.stderr.trim().split('\n').at(-1) ?? '{}') as { code: string; remedy: string };
      expect([ended.code, said.code], address).toEqual([code, name]);
      expect(said.remedy).not.toBe('');
    }
  });

  it('ends with a code when the credentials are wrong', async () => {
    const address = s3.address(await s3.bucket());
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong';
    try {
      expect(await refused(address)).toMatchObject({
        code: 7,
        stderr: expect.stringContaining('evidence_store_denied') as string,
      });
    } finally {
      process.env['AWS_SECRET_ACCESS_KEY'] = server.secretAccessKey;
    }
  });
});

describe('a real appliance whose Central Command loses its store', () => {
  const site = demoSite();
  const scratch = mkdtempSync(join(tmpdir(), 'central-s3-'));
  beforeEach((context) => context.skip(why !== null, why ?? ''));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('waits, loses nothing, and uploads every byte when the store is back', async () => {
    gate.set('open');
    process.env['CENTRAL_EVIDENCE_STORE'] = (await newPlace()).address;
    await site.provision();
    delete process.env['CENTRAL_EVIDENCE_STORE'];
    site.startAgent();
    await site.confirm();
    const queue = (): number => site.status()?.queue?.entries ?? -1;
    await until('all is uploaded', () => (queue() === 0 ? true : null), WITHIN_MS);
    for (const how of ['shut', 'mute', 'hang'] as const) {
      gate.set(how);
      const before = linesOnDisk(site).length;
      await until(
        'entries wait',
        () => (queue() > 0 && linesOnDisk(site).length > before + 2 ? true : null),
        WITHIN_MS,
        () => JSON.stringify(site.status()),
      );
      gate.set('open');
      await until('all is uploaded', () => (queue() === 0 ? true : null), WITHIN_MS);
    }
    await site.endAgent('SIGTERM');
    const { logs } = (await site.central('evidence', 'verify')) as { logs: { ok: boolean; origin: string }[] };
    expect(logs).toMatchObject([{ ok: true }]);
    const out = join(scratch, 'lines');
    await site.central('evidence', 'export-lines', '--origin', logs[0]?.origin ?? '', '--out', out);
    const there = readFileSync(out, 'utf8').trimEnd().split('\n');
    const here = linesOnDisk(site);
    // What it wrote while it ended may not be uploaded any more.
    expect(there.length).toBeGreaterThan(here.length - 5);
    expect(there).toEqual(here.slice(0, there.length));
  });
});
