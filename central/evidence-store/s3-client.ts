// The S3 client with deadlines, the store's own clock, and its errors in our codes. Credentials come from where the AWS SDK looks
// for them (environment, shared credentials file, instance role), never from a command line.
import { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { S3Address } from './store-address.ts';

/** Limits of one call with its repetitions. An upload of an appliance has 60 s and takes three calls. */
export const CALL_DEADLINE_MS = 15_000;
const CONNECT_MS = 5_000;
/** No byte for this long ends a request. */
const SILENT_MS = 10_000;
const ATTEMPTS = 3;

export interface S3Connection {
  readonly client: S3Client;
  /** Runs one call under the deadline; errors get our codes. */
  call<T>(place: string, work: (o: { abortSignal: AbortSignal }) => Promise<T>): Promise<T>;
  /** Clock of the store minus ours at its last answer, seconds; null before the first. */
  skewS(): number | null;
}

/** @param now wall clock, Unix seconds */
export function connectS3(address: S3Address, now: () => number, deadlineMs = CALL_DEADLINE_MS): S3Connection {
  let skew: number | null = null;
  const client = new S3Client({
    region: address.region,
    forcePathStyle: address.pathStyle,
    ...(address.endpoint === null ? {} : { endpoint: address.endpoint }),
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: SILENT_MS, throwOnRequestTimeout: true },
    // Content-MD5 is what every implementation checks; newer checksums are not known to all of them.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      const date = Date.parse(headers?.['date'] ?? '');
      if (Number.isFinite(date)) skew = Math.round(date / 1_000) - now();
      return result;
    },
    { step: 'deserialize', name: 'storeClock', priority: 'low' },
  );
  return {
    client,
    skewS: () => skew,
    call: async (place, work) => {
      try {
        return await work({ abortSignal: AbortSignal.timeout(deadlineMs) });
      } catch (error) {
        throw translateS3Error(error, place);
      }
    },
  };
}

/** True for an answer that says: this object, or this version of it, is not there. */
export function isNotFound(error: unknown): boolean {
  const cause = error instanceof AgentError ? error.cause : error;
  if (!(cause instanceof S3ServiceException)) return false;
  return ['NoSuchKey', 'NoSuchVersion', 'NotFound'].includes(cause.name);
}

/** What the SDK throws in the codes of this program; what it was stays the cause. */
export function translateS3Error(error: unknown, place: string): AgentError {
  if (error instanceof AgentError) return error;
  const { name, message } = error as { name?: string; message?: string };
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  const o = { place, cause: error, details: { s3_error: name ?? 'unknown', status: status ?? null } };
  if (name === 'RequestTimeTooSkewed') {
    return new AgentError('evidence_store_clock', 'the store refuses requests with the time of this machine', o);
  }
  if (name === 'NoSuchBucket') return new AgentError('evidence_store_unlocked', 'there is no such bucket', o);
  if (name === 'CredentialsProviderError') {
    return new AgentError('evidence_store_denied', 'no credentials for the store were found', o);
  }
  if (status === 401 || status === 403) {
    return new AgentError('evidence_store_denied', `the store refuses the credentials or the permission (${name})`, o);
  }
  if (status !== undefined && status < 500 && status !== 408 && status !== 429) {
    return new AgentError('evidence_unwritable', `the store answered ${status} (${name}: ${message})`, o);
  }
  return new AgentError('evidence_store_unreachable', `the store does not answer properly (${name}: ${message})`, o);
}
