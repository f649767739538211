import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openSegmentBucket } from '../../central/evidence-store/segment-bucket.ts';
import type { SegmentStore } from '../../central/evidence-store/segment-store.ts';
import { parseStoreAddress, type S3Address } from '../../central/evidence-store/store-address.ts';
import { evidenceStoreContract } from '../support/evidence-store-contract.ts';
import {
  evidenceLab,
  FOLDER,
  inSevenYears,
  linesOf,
  ORIGIN,
  promiseAt,
  rootAt,
  unixNow,
  type EvidenceLab,
} from '../support/evidence-lab.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { startS3, whyNoS3, type S3Server } from '../support/radosgw.ts';
import { s3Lab, type S3Lab } from '../support/s3-place.ts';

const why = whyNoS3();
let server: S3Server;
let s3: S3Lab;
let bucket: string;
const before: Record<string, string | undefined> = {};

beforeAll(async () => {
  if (why !== null) return;
  server = await startS3();
  s3 = s3Lab(server);
  bucket = await s3.bucket();
  for (const [name, value] of Object.entries(server.env)) {
    before[name] = process.env[name];
    process.env[name] = value;
  }
}, 600_000);
afterAll(async () => {
  s3?.close();
  await server?.end();
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

const addressOf = (inBucket: string, prefix: string, endpoint?: string): S3Address =>
  parseStoreAddress(s3.address(inBucket, prefix, endpoint)) as S3Address;
const openAt = (address: S3Address, o: { now?: () => number; owner?: string } = {}): Promise<SegmentStore> =>
  openSegmentBucket(address, {
    now: o.now ?? unixNow,
    owner: { id: o.owner ?? 'ours', retainUntil: inSevenYears() },
  });

describe('a bucket of evidence with Object Lock', () => {
  beforeEach((context) => context.skip(why !== null, why ?? ''));

  evidenceStoreContract(async (name) => {
    const address = addressOf(bucket, name);
    return { open: () => openAt(address), remove: () => {} };
  }, 3);
});

describe('what a bucket of evidence must be', () => {
  beforeEach((context) => context.skip(why !== null, why ?? ''));

  it.each([
    ['has no Object Lock', { lock: false, versions: true }],
    ['keeps no versions', { lock: false }],
  ])('refuses a bucket that %s, with a remedy', async (_what, kind) => {
    const error = await expectCodeAsync(openAt(addressOf(await s3.bucket(kind), 'x')), 'evidence_store_unlocked');
    expect(error.remedy).toContain('Object Lock');
  });

  it('refuses a bucket that is not there', async () => {
    await expectCodeAsync(openAt(addressOf('no-such-bucket-anywhere', 'x')), 'evidence_store_unlocked');
  });

  it('refuses a prefix under which another Central Command keeps its evidence, whoever comes first', async () => {
    const address = addressOf(bucket, 'shared');
    const both = await Promise.allSettled(['one', 'two'].map((owner) => openAt(address, { owner })));
    const refused = both.filter((each) => each.status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(refused[0]?.reason).toMatchObject({ code: 'evidence_store_foreign' });
    const winner = both[0]?.status === 'fulfilled' ? 'one' : 'two';
    (await openAt(address, { owner: winner })).close();
    await expectCodeAsync(openAt(address, { owner: 'three' }), 'evidence_store_foreign');
    (await openAt(addressOf(bucket, 'shared-not'), { owner: 'three' })).close();
  });

  it('refuses to go by a clock that the store contradicts, in either direction', async () => {
    for (const off of [-3_600, 3_600]) {
      const late = () => unixNow() + off;
      await expectCodeAsync(openAt(addressOf(bucket, 'clock'), { now: late }), 'evidence_store_clock');
    }
  });

  it('stores nothing once the clocks have drifted apart', async () => {
    let off = 0;
    const segments = await openAt(addressOf(bucket, 'drift'), { now: () => unixNow() + off });
    await segments.write(ORIGIN, 0, linesOf(0, 1), inSevenYears());
    off = -3_600;
    await segments.origins();
    await expectCodeAsync(segments.write(ORIGIN, 1, linesOf(1, 2), inSevenYears()), 'evidence_store_clock');
    expect(await segments.segments(ORIGIN, 0)).toHaveLength(1);
    segments.close();
  });

  it.each([
    ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'wrong' }],
    ['an unknown key', { AWS_ACCESS_KEY_ID: 'nobody' }],
  ])('says so when it is given %s', async (_what, env) => {
    const kept = { ...process.env };
    Object.assign(process.env, env);
    try {
      await expectCodeAsync(openAt(addressOf(bucket, 'denied')), 'evidence_store_denied');
    } finally {
      Object.assign(process.env, kept);
    }
  });

  it('says that nobody answers where nobody does', async () => {
    await expectCodeAsync(openAt(addressOf(bucket, 'x', 'http://127.0.0.1:1')), 'evidence_store_unreachable');
  });
});

describe('evidence under Object Lock', () => {
  let lab: EvidenceLab;
  let segments: SegmentStore;
  let prefix: string;
  let key: string;
  let version: string;
  let until: number;
  beforeEach(async (context) => {
    context.skip(why !== null, why ?? '');
    lab = evidenceLab();
    prefix = `lock-${Math.random().toString(36).slice(2)}`;
    segments = await openAt(addressOf(bucket, prefix));
    until = inSevenYears();
    const store = await lab.open(segments);
    await store.append(ORIGIN, linesOf(0, 3), until);
    await store.append(ORIGIN, linesOf(3, 5), until);
    [{ key, version }] = (await s3.versions(bucket, `${prefix}/${FOLDER}/000000000000`)) as [
      { key: string; version: string },
    ];
  });
  afterEach(() => {
    lab?.remove();
    segments?.close();
  });

  const restarted = () => lab.open(segments, [promiseAt(3), promiseAt(5)]);

  it('names bucket, key and version in the object id', async () => {
    const store = await restarted();
    const [first] = await segments.segments(ORIGIN, 0);
    expect(first?.objectId).toBe(`${bucket}/${key}?versionId=${version}`);
    expect(store.lastObject(ORIGIN)).toMatchObject({ first: 3, last: 4, retain_until: until });
  });

  it('is not removed, not even by who has all rights to the bucket', async () => {
    await expect(s3.remove(bucket, key, version)).rejects.toMatchObject({ name: 'AccessDenied' });
    expect(await s3.versions(bucket, key)).toHaveLength(1);
  });

  it('is not released earlier, not even by who has all rights to the bucket', async () => {
    const sooner = new Date((until - 86_400) * 1_000);
    await expect(s3.retainUntil(bucket, key, version, sooner)).rejects.toMatchObject({ name: 'AccessDenied' });
    const [first] = await segments.segments(ORIGIN, 0);
    expect((await segments.read(first!, until)).weakness).toBeNull();
    expect((await segments.read(first!, until + 1)).weakness).not.toBeNull();
  });

  it('is read by its version under a delete marker, and the audit reports the marker', async () => {
    await s3.remove(bucket, key);
    const store = await restarted();
    expect(await store.read(ORIGIN, 0, 5)).toEqual(linesOf(0, 5));
    expect(store.damage(ORIGIN)).toBeNull();
    expect((await lab.audit(store)).findings).toMatchObject([{ kind: 'hidden', origin: ORIGIN }]);
    lab.forget();
    const withoutIndex = await restarted();
    expect(withoutIndex.state(ORIGIN)).toMatchObject({ size: 5, root: rootAt(5) });
    await withoutIndex.append(ORIGIN, linesOf(5, 6), until);
  });

  it('counts as it was stored first when something else is put under its name, and the audit reports that', async () => {
    await s3.put(bucket, key, 'forged 0\nforged 1\nforged 2\n');
    lab.forget();
    const store = await restarted();
    expect(store.state(ORIGIN)).toMatchObject({ size: 5, root: rootAt(5) });
    expect(await store.read(ORIGIN, 0, 3)).toEqual(linesOf(0, 3));
    const { findings } = await lab.audit(store);
    expect(findings).toMatchObject([{ kind: 'added', origin: ORIGIN }]);
    expect(findings[0]?.objectId).toContain(key);
  });

  it('is not joined by objects that no upload made: beyond the end they make the log damaged, beside it they are reported', async () => {
    await s3.put(bucket, `${prefix}/${FOLDER}/notes.txt`, 'x');
    const store = await restarted();
    expect((await lab.audit(store)).findings).toMatchObject([{ kind: 'added' }]);
    await s3.put(bucket, `${prefix}/${FOLDER}/000000000009.jsonl`, 'line 9\n');
    const again = await restarted();
    expect(again.damage(ORIGIN)).not.toBeNull();
    expect(again.state(ORIGIN)).toMatchObject({ size: 5, root: rootAt(5) });
  });

  it('that was never locked is weak, and the audit says so', async () => {
    await s3.put(bucket, `${prefix}/${FOLDER}/000000000005.jsonl`, 'line 5\n');
    const store = await restarted();
    expect(store.state(ORIGIN).size).toBe(6);
    expect((await lab.audit(store)).findings).toMatchObject([{ kind: 'weak', origin: ORIGIN }]);
  });

  it('that is gone all the same is missing: the log is vouched for only up to there', async () => {
    await s3.put(bucket, `${prefix}/${FOLDER}/000000000005.jsonl`, 'line 5\n');
    const store = await restarted();
    const [unlocked] = await s3.versions(bucket, `${prefix}/${FOLDER}/000000000005`);
    await s3.remove(bucket, unlocked!.key, unlocked!.version);
    expect((await lab.audit(store)).findings).toMatchObject([{ kind: 'missing', origin: ORIGIN }]);
    expect(store.damage(ORIGIN)).not.toBeNull();
    expect(store.state(ORIGIN)).toMatchObject({ size: 5, root: rootAt(5) });
  });

  it('is paged through when there are more versions than a listing holds', async () => {
    const store = await restarted();
    const many = 1_050;
    const all = `${linesOf(5, 6).join('\n')}\n`;
    await Promise.all(
      Array.from({ length: many }, () => s3.put(bucket, `${prefix}/${FOLDER}/000000000005.jsonl`, all)),
    );
    await s3.put(bucket, `${prefix}/${FOLDER}/000000000006.jsonl`, 'line 6\n');
    const again = await lab.open(segments, [promiseAt(3), promiseAt(5)]);
    expect(store.state(ORIGIN).size).toBe(5);
    expect(again.state(ORIGIN)).toMatchObject({ size: 7, root: rootAt(7) });
  });
});
