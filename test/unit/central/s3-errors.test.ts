import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { S3ServiceException } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { isNotFound, translateS3Error } from '../../../central/evidence-store/s3-client.ts';
import { weaknessOf } from '../../../central/evidence-store/s3-bucket.ts';

const REPO = join(import.meta.dirname, '../../..');
const answered = (name: string, status: number): S3ServiceException =>
  new S3ServiceException({ name, $fault: 'client', $metadata: { httpStatusCode: status }, message: 'said the store' });
const local = (name: string): Error => Object.assign(new Error('before the store'), { name });

describe('what an object store says', () => {
  it.each([
    ['a clock that is off', answered('RequestTimeTooSkewed', 403), 'evidence_store_clock'],
    ['an unknown key', answered('InvalidAccessKeyId', 403), 'evidence_store_denied'],
    ['a wrong secret', answered('SignatureDoesNotMatch', 403), 'evidence_store_denied'],
    ['a permission that is missing', answered('AccessDenied', 403), 'evidence_store_denied'],
    ['a refusal without a body', answered('Unknown', 403), 'evidence_store_denied'],
    ['no credentials at all', local('CredentialsProviderError'), 'evidence_store_denied'],
    ['a bucket that is gone', answered('NoSuchBucket', 404), 'evidence_store_unlocked'],
    ['a request to slow down', answered('SlowDown', 503), 'evidence_store_unreachable'],
    ['too many requests', answered('TooManyRequests', 429), 'evidence_store_unreachable'],
    ['a failure of its own', answered('InternalError', 500), 'evidence_store_unreachable'],
    ['a timeout', local('TimeoutError'), 'evidence_store_unreachable'],
    ['a connection that breaks', local('ECONNRESET'), 'evidence_store_unreachable'],
    ['bytes that arrived changed', answered('BadDigest', 400), 'evidence_unwritable'],
  ])('has a code: %s', (_what, error, code) => {
    const translated = translateS3Error(error, 'place');
    expect(translated.code).toBe(code);
    expect(translateS3Error(translated, 'elsewhere')).toBe(translated);
  });

  it('is told apart where an object, or this version of it, is not there', () => {
    for (const name of ['NoSuchKey', 'NoSuchVersion', 'NotFound']) expect(isNotFound(answered(name, 404))).toBe(true);
    expect(isNotFound(answered('NoSuchBucket', 404))).toBe(false);
    expect(isNotFound(local('TimeoutError'))).toBe(false);
  });

  it.each([
    ['no lock', undefined, undefined, false],
    ['a lock that administrators can take off', 'GOVERNANCE', 2_000, false],
    ['a lock that ends too early', 'COMPLIANCE', 1_999, false],
    ['a lock until exactly then', 'COMPLIANCE', 2_000, true],
    ['a longer lock', 'COMPLIANCE', 3_000, true],
  ])('about a lock is judged: %s', (_what, ObjectLockMode, until, good) => {
    const date = until === undefined ? {} : { ObjectLockRetainUntilDate: new Date(until * 1_000) };
    expect(weaknessOf({ ObjectLockMode, ...date }, 2_000) === null).toBe(good);
  });
});

describe('the S3 client', () => {
  /** Which of its packages a program loads that opens this place. */
  function loaded(address: string): string[] {
    const open = pathToFileURL(join(REPO, 'central/evidence-store/open-segment-store.ts')).href;
    const serve = pathToFileURL(join(REPO, 'central/cli/serve.ts')).href;
    const parse = pathToFileURL(join(REPO, 'central/evidence-store/store-address.ts')).href;
    const program = `
      const { registerHooks } = await import('node:module');
      const seen = new Set();
      registerHooks({ resolve: (name, context, next) => { if (name.startsWith('@aws-sdk/')) seen.add(name); return next(name, context); } });
      await import('${serve}');
      const { openSegmentStore } = await import('${open}');
      const { parseStoreAddress } = await import('${parse}');
      const address = parseStoreAddress('${address}');
      await openSegmentStore({ dataDir: '/nonexistent', address, now: () => 0, owner: null }).catch(() => {});
      console.log(JSON.stringify([...seen]));
    `;
    const env = { ...process.env, AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' };
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', program], { env, encoding: 'utf8' });
    return JSON.parse(out) as string[];
  }

  it('is loaded for a bucket and for nothing else', () => {
    expect(loaded('folder')).toEqual([]);
    expect(loaded('s3://evidence/x?endpoint=http://127.0.0.1:1')).toContain('@aws-sdk/client-s3');
  });
});
