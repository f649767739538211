// What a bucket must be before evidence is put there: versioned, with Object Lock, ours alone, and keeping a lock that it is given.
import {
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { S3Connection } from './s3-client.ts';
import { versionsOf } from './s3-list.ts';
import type { S3Address } from './store-address.ts';

/** More than this between our clock and the store's, and dates of retention could not be trusted. Seconds. */
export const MAX_SKEW_S = 300;
/** The name of the object that says whose evidence lies beside it. */
const OWNER = 'owner.json';
const OWNER_SCHEMA = 'central-command/evidence-owner/v1';

const NO_LOCK_REMEDY =
  'make a new bucket with Object Lock enabled (most stores allow it only at that moment), and name that one';

/** @throws evidence_store_unlocked, evidence_store_clock, evidence_store_denied, evidence_store_unreachable */
export async function checkBucket(s3: S3Connection, address: S3Address): Promise<void> {
  const { bucket } = address;
  const place = `s3://${bucket}`;
  const versioning = await s3.call(place, (o) => s3.client.send(new GetBucketVersioningCommand({ Bucket: bucket }), o));
  if (versioning.Status !== 'Enabled') throw unlocked('the bucket keeps no versions', place);
  const lock = await s3
    .call(place, (o) => s3.client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }), o))
    .catch((error: unknown) => {
      const name = ((error as Error).cause as { name?: string } | undefined)?.name;
      if (name === 'ObjectLockConfigurationNotFoundError') throw unlocked('the bucket has no Object Lock', place);
      throw error;
    });
  if (lock.ObjectLockConfiguration?.ObjectLockEnabled !== 'Enabled') {
    throw unlocked('the bucket has no Object Lock', place);
  }
  refuseSkew(s3, place);
}

/** @throws evidence_store_clock */
export function refuseSkew(s3: S3Connection, place: string): void {
  const skew = s3.skewS() ?? 0;
  if (Math.abs(skew) > MAX_SKEW_S) {
    const sentence = `the clock of this machine is ${Math.abs(skew)} s ${skew > 0 ? 'behind' : 'ahead of'} the store's`;
    throw new AgentError('evidence_store_clock', sentence, { place, details: { skew_s: skew } });
  }
}

/**
 * Stores bytes under a lock and looks whether the store really keeps it.
 *
 * @returns the version
 * @throws evidence_store_unlocked and the errors of `call`
 */
export async function putLocked(
  s3: S3Connection,
  o: { bucket: string; key: string; bytes: Buffer; retainUntil: number; type: string },
): Promise<string> {
  const { bucket, key, bytes, retainUntil } = o;
  refuseSkew(s3, key);
  const put = await s3.call(key, (call) =>
    s3.client.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: bytes,
        ContentType: o.type,
        ContentLength: bytes.length,
        ContentMD5: createHash('md5').update(bytes).digest('base64'),
        ObjectLockMode: 'COMPLIANCE',
        ObjectLockRetainUntilDate: new Date(retainUntil * 1_000),
        // Stores that know it refuse a second object at once; for all others the oldest version counts.
        IfNoneMatch: '*',
      }),
      call,
    ),
  );
  refuseSkew(s3, key);
  const version = put.VersionId;
  if (version === undefined) throw unlocked('the store gave the object no version', key);
  const head = await s3.call(key, (call) =>
    s3.client.send(new HeadObjectCommand({ Bucket: bucket, Key: key, VersionId: version }), call),
  );
  if (head.ContentLength !== bytes.length) {
    throw new AgentError('evidence_unwritable', 'the store holds another number of bytes than it was given', {
      place: key,
    });
  }
  const weakness = weaknessOf(head, retainUntil);
  if (weakness !== null) throw unlocked(weakness, key);
  return version;
}

/** Why an object is not locked as it should be; null where it is. Dates of the store have milliseconds. */
export function weaknessOf(
  seen: { ObjectLockMode?: string | undefined; ObjectLockRetainUntilDate?: Date | undefined },
  retainUntil: number,
): string | null {
  if (seen.ObjectLockMode !== 'COMPLIANCE') return `locked in mode ${seen.ObjectLockMode ?? 'none'} and not COMPLIANCE`;
  const until = Math.ceil((seen.ObjectLockRetainUntilDate?.getTime() ?? 0) / 1_000);
  return until >= retainUntil ? null : `locked until ${until} and not until ${retainUntil}`;
}

/**
 * Says in the bucket whose evidence it holds; the first to say so has it.
 *
 * @param owner id of this installation
 * @throws evidence_store_foreign
 */
export async function claimBucket(
  s3: S3Connection,
  address: S3Address,
  owner: string,
  retainUntil: number,
): Promise<void> {
  const { bucket, prefix } = address;
  const key = `${prefix}${OWNER}`;
  const found = await ownerOf(s3, bucket, key);
  if (found === null) {
    const bytes = Buffer.from(JSON.stringify({ schema: OWNER_SCHEMA, owner }));
    await putLocked(s3, { bucket, key, bytes, retainUntil, type: 'application/json' }).catch((error: unknown) => {
      if (!isTaken(error)) throw error;
    });
  }
  const holder = found ?? (await ownerOf(s3, bucket, key));
  if (holder === owner) return;
  throw new AgentError('evidence_store_foreign', 'the evidence of another Central Command lies there', {
    place: `s3://${bucket}/${prefix}`,
  });
}

/** The store knows conditional writes and holds an object of that name. */
export const isTaken = (error: unknown): boolean =>
  ((error as Error).cause as { name?: string } | undefined)?.name === 'PreconditionFailed';

async function ownerOf(s3: S3Connection, bucket: string, key: string): Promise<string | null> {
  const oldest = (await versionsOf(s3, bucket, key))[0];
  if (oldest?.VersionId === undefined) return null;
  const input = { Bucket: bucket, Key: key, VersionId: oldest.VersionId };
  return await s3.call(key, async (o) => {
    const { Body: body } = await s3.client.send(new GetObjectCommand(input), o);
    const text = (await body?.transformToString()) ?? '';
    try {
      const value = JSON.parse(text) as { schema?: unknown; owner?: unknown };
      return value.schema === OWNER_SCHEMA ? String(value.owner) : 'unknown';
    } catch {
      return 'unknown';
    }
  });
}

const unlocked = (sentence: string, place: string) =>
  new AgentError('evidence_store_unlocked', sentence, { place, remedy: NO_LOCK_REMEDY });
