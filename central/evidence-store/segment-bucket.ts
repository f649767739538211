// The bucket of evidence: for each log `<prefix>/<log>/<first>.jsonl`, stored once under an Object Lock in compliance mode. An
// object is what its version says: a later version under the same name, or a delete marker over it, changes nothing.
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { leafHash } from '../../agent/wire/merkle.ts';
import { connectS3, isNotFound } from './s3-client.ts';
import { checkBucket, claimBucket, isTaken, putLocked, weaknessOf } from './s3-bucket.ts';
import { listVersions, versionsOf } from './s3-list.ts';
import {
  folderOfOrigin,
  joinLines,
  MAX_CONFLICTS,
  originOfFolder,
  padded,
  type Inventory,
  type Listed,
  type ReadSegment,
  type SegmentRef,
  type SegmentStore,
} from './segment-store.ts';
import type { S3Address } from './store-address.ts';

const SEGMENT = /^([0-9]{12})\.jsonl$/;
const CONFLICTS = 'conflicts/';
const NDJSON = 'application/x-ndjson';
/** As many as an answer holds. */
const PAGE = 1_000;
/** Limit of `object_id` in a receipt. */
const MAX_OBJECT_ID_CHARS = 300;

export interface BucketOptions {
  /** Wall clock, Unix seconds. */
  readonly now: () => number;
  /** Id of this installation and how long its claim is locked (Unix seconds); null to read only. */
  readonly owner: { readonly id: string; readonly retainUntil: number } | null;
  /** Of one call; for tests. */
  readonly deadlineMs?: number;
}

/**
 * Opens the bucket, after looking at all that a store of evidence needs.
 *
 * @throws evidence_store_unlocked, evidence_store_foreign, evidence_store_clock, evidence_store_denied,
 *   evidence_store_unreachable
 */
export async function openSegmentBucket(address: S3Address, o: BucketOptions): Promise<SegmentStore> {
  const { bucket, prefix } = address;
  const s3 = connectS3(address, o.now, o.deadlineMs);
  await checkBucket(s3, address);
  if (o.owner !== null) await claimBucket(s3, address, o.owner.id, o.owner.retainUntil);

  const firstOf = (origin: string, key: string): number | null => {
    const match = SEGMENT.exec(key.slice(prefixOf(origin).length));
    return match === null ? null : Number(match[1]);
  };
  const prefixOf = (origin: string): string => `${prefix}${folderOfOrigin(origin)}/`;
  const idOf = (key: string, version: string): string => `${bucket}/${key}?versionId=${encodeURIComponent(version)}`;
  const refOf = (origin: string, first: number, key: string, version: string): SegmentRef => ({
    origin,
    first,
    last: null,
    objectId: idOf(key, version),
  });
  const placeOf = ({ objectId }: SegmentRef): { key: string; version: string } => {
    const at = objectId.lastIndexOf('?versionId=');
    const key = objectId.slice(bucket.length + 1, at);
    return { key, version: decodeURIComponent(objectId.slice(at + '?versionId='.length)) };
  };

  const read = async (ref: SegmentRef, retainUntil?: number): Promise<ReadSegment> => {
    const { key, version } = placeOf(ref);
    const input = { Bucket: bucket, Key: key, VersionId: version };
    try {
      return await s3.call(key, async (call) => {
        const got = await s3.client.send(new GetObjectCommand(input), call);
        const bytes = Buffer.from((await got.Body?.transformToByteArray()) ?? []);
        const kept = got.ObjectLockRetainUntilDate;
        const keptUntil = kept === undefined ? null : Math.floor(kept.getTime() / 1_000);
        return { bytes, weakness: weaknessOf(got, retainUntil ?? 0), retainUntil: keptUntil };
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      throw new AgentError('evidence_damaged', 'an object is not there', { place: ref.objectId, cause: error });
    }
  };

  /** One page of a log from a first entry on: everything that lies under its names. */
  const list = async (origin: string, from: number, limit: number): Promise<Inventory> => {
    const byFirst = new Map<number, { versions: SegmentRef[]; hidden: boolean }>();
    const strangers = new Set<string>();
    const at = (first: number): { versions: SegmentRef[]; hidden: boolean } => {
      const known = byFirst.get(first) ?? { versions: [], hidden: false };
      byFirst.set(first, known);
      return known;
    };
    // The name just before the wanted one: whether a marker itself is listed differs between stores.
    const after = from === 0 ? {} : { after: `${prefixOf(origin)}${padded(from - 1)}.jsonl~` };
    let cutAt: number | null = null;
    for await (const page of listVersions(s3, { bucket, prefix: prefixOf(origin), ...after })) {
      for (const { Key: key = '', VersionId: version = '' } of page.Versions ?? []) {
        const first = firstOf(origin, key);
        if (first === null) strangers.add(key);
        else if (first >= from) at(first).versions.push(refOf(origin, first, key, version));
      }
      for (const { Key: key = '', IsLatest: latest } of page.DeleteMarkers ?? []) {
        const first = firstOf(origin, key);
        if (first !== null && first >= from && latest === true) at(first).hidden = true;
      }
      // The last name of a page may go on in the next one.
      if (page.IsTruncated === true && byFirst.size > limit) {
        cutAt = Math.max(...byFirst.keys());
        break;
      }
    }
    const all: Listed[] = [];
    for (const [first, { versions, hidden }] of [...byFirst].sort(([a], [b]) => a - b)) {
      if (cutAt !== null && first >= cutAt) break;
      // Listings show the newest version first.
      const [oldest, ...others] = versions.toReversed();
      if (oldest !== undefined) all.push({ ...oldest, hidden, others });
    }
    const next = all[limit]?.first ?? cutAt;
    const names = [...strangers].map((key) => key.slice(prefixOf(origin).length));
    return { segments: all.slice(0, limit), strangers: names.filter((name) => !name.startsWith(CONFLICTS)), next };
  };

  /** Names of the contradicting lines that are kept of a log. */
  const conflictsOf = async (origin: string): Promise<Set<string>> => {
    const names = new Set<string>();
    for await (const page of listVersions(s3, { bucket, prefix: `${prefixOf(origin)}${CONFLICTS}` })) {
      for (const { Key: key = '' } of page.Versions ?? []) names.add(key);
    }
    return names;
  };

  return {
    kind: 's3',
    locked: true,
    protection: `S3 Object Lock in compliance mode, bucket ${bucket}`,
    origins: async () => {
      const names: string[] = [];
      for await (const page of listVersions(s3, { bucket, prefix, delimiter: '/' })) {
        names.push(...(page.CommonPrefixes ?? []).map(({ Prefix: each = '' }) => each.slice(prefix.length, -1)));
      }
      return [...new Set(names)].map(originOfFolder).sort();
    },
    segments: async (origin, from) => {
      const found: SegmentRef[] = [];
      for (let next: number | null = from; next !== null;) {
        const page: Inventory = await list(origin, next, PAGE);
        for (const { hidden: _hidden, others: _others, ...ref } of page.segments) found.push(ref);
        next = page.next;
      }
      return found;
    },
    write: async (origin, first, lines, retainUntil) => {
      const key = `${prefixOf(origin)}${padded(first)}.jsonl`;
      const bytes = joinLines(lines);
      const version = await putLocked(s3, { bucket, key, bytes, retainUntil, type: NDJSON }).catch((error: unknown) => {
        if (isTaken(error)) return null;
        throw error;
      });
      const oldest = (await versionsOf(s3, bucket, key))[0]?.VersionId;
      if (oldest === undefined) {
        throw new AgentError('evidence_unwritable', 'the store does not list what it has just stored', { place: key });
      }
      const ref = refOf(origin, first, key, oldest);
      if (ref.objectId.length > MAX_OBJECT_ID_CHARS) {
        throw new AgentError('evidence_unwritable', 'the name of the object does not fit a receipt', { place: key });
      }
      if (oldest !== version) {
        // Somebody was first: a repetition of ours after an answer that got lost, or another server on this log.
        const { bytes: stored, weakness } = await read(ref, retainUntil);
        if (!stored.equals(bytes) || weakness !== null) {
          throw new AgentError('evidence_unwritable', 'something else was stored at this place first', { place: key });
        }
      }
      return ref;
    },
    read,
    keepConflict: async (origin, seq, line, retainUntil) => {
      const key = `${prefixOf(origin)}${CONFLICTS}${padded(seq)}.jsonl.${leafHash(line).toString('hex').slice(0, 16)}`;
      const kept = await conflictsOf(origin);
      if (kept.has(key) || kept.size >= MAX_CONFLICTS) return;
      await putLocked(s3, { bucket, key, bytes: joinLines([line]), retainUntil, type: NDJSON });
    },
    conflicts: async (origin) => (await conflictsOf(origin)).size,
    inventory: list,
    tidy: async () => {},
    close: () => s3.client.destroy(),
  };
}
