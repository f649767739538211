// Buckets on a real object store, and what somebody with all rights there can do to them.
import { randomUUID } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { S3Access } from './radosgw.ts';

export interface S3Lab {
  /** A new bucket. */
  bucket(o?: { lock?: boolean; versions?: boolean }): Promise<string>;
  /** `s3://…` for --evidence-store, through another endpoint where one is named. */
  address(bucket: string, prefix?: string, endpoint?: string): string;
  /** Versions under a prefix, newest first. */
  versions(bucket: string, prefix?: string): Promise<{ key: string; version: string }[]>;
  put(bucket: string, key: string, text: string): Promise<void>;
  /** Without a version it puts a delete marker there. */
  remove(bucket: string, key: string, version?: string): Promise<void>;
  retainUntil(bucket: string, key: string, version: string, until: Date): Promise<void>;
  close(): void;
}

export function s3Lab(access: S3Access): S3Lab {
  const { endpoint, region, accessKeyId, secretAccessKey } = access;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  return {
    bucket: async ({ lock = true, versions = false } = {}) => {
      const name = `evidence-${randomUUID()}`;
      await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: lock }));
      if (versions) {
        const VersioningConfiguration = { Status: 'Enabled' as const };
        await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }));
      }
      return name;
    },
    address: (bucket, prefix = 'test', at = endpoint) => `s3://${bucket}/${prefix}?region=${region}&endpoint=${at}`,
    versions: async (bucket, prefix = '') => {
      const { Versions } = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix }));
      return (Versions ?? []).map(({ Key: key = '', VersionId: version = '' }) => ({ key, version }));
    },
    put: async (bucket, key, text) => {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: text }));
    },
    remove: async (bucket, key, version) => {
      const which = version === undefined ? {} : { VersionId: version };
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, ...which }));
    },
    retainUntil: async (bucket, key, version, until) => {
      const Retention = { Mode: 'COMPLIANCE' as const, RetainUntilDate: until };
      const input = { Bucket: bucket, Key: key, VersionId: version, Retention };
      await client.send(new PutObjectRetentionCommand(input));
    },
    close: () => client.destroy(),
  };
}
