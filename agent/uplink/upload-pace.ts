// What an upload failure means for the next try. Pure: a failure and what was known before in, a decision out. Nothing here
// ever drops an entry: the worst that can happen to evidence is that it waits (docs/formats/upload-and-receipts.md).
import type { AgentError } from '../errors/agent-error.ts';
import type { ParkedRow } from '../store/uplink-state.ts';

/** First and longest pause after a refusal; doubling in between. */
export const PARK_FIRST_S = 300;
export const PARK_LONGEST_S = 3_600;
/** First and longest pause after a failure of the network or the server, before jitter. */
export const BACKOFF_FIRST_MS = 5_000;
export const BACKOFF_LONGEST_MS = 300_000;
/** Doublings are counted no further: 2^20 is far beyond both limits. */
const MAX_DOUBLINGS = 20;

export type UploadDecision =
  /** Central Command expects an earlier entry: upload from there. */
  | { readonly kind: 'move_back'; readonly to: number }
  /** Refused: somebody has to change something. Tried again after 5 … 60 minutes and, with one entry, after each good check-in. */
  | { readonly kind: 'park' }
  /** The way or the server is out of order for the moment. */
  | { readonly kind: 'wait'; readonly retryAfterS: number | null }
  /** Not about the upload: stopping, a full disk, a defect. */
  | { readonly kind: 'pass_on' };

/** Failures that say nothing about whether Central Command would take the entries. */
const WAIT_CODES: ReadonlySet<string> = new Set([
  'dns_failed',
  'dns_filtered',
  'connect_refused',
  'connect_failed',
  'request_timeout',
  'tls_untrusted',
  'tls_pin_mismatch',
  'tls_name_mismatch',
  'tls_date_invalid',
  'tls_failed',
  'response_too_large',
  'response_truncated',
  'response_not_expected',
  'http_unavailable',
]);

/** Refusals, and answers that are no receipt for what was sent. */
const PARK_CODES: ReadonlySet<string> = new Set([
  'http_refused',
  'tls_client_refused',
  'receipt_mismatch',
  'evidence_diverged',
  'signature_invalid',
  'threshold_not_met',
  'payload_type_mismatch',
  'schema_invalid',
  'envelope_invalid',
  'json_not_strict',
  'json_too_large',
  'json_too_deep',
  'base64_invalid',
]);

/** @param firstSeq the first entry of the batch that failed */
export function judgeUploadFailure(error: AgentError, firstSeq: number): UploadDecision {
  const { problem_code: problemCode, expected_seq: expectedSeq, retry_after_s: retryAfterS } = error.details;
  if (error.code === 'http_refused' && problemCode === 'evidence_gap') {
    // Only backwards: forwards would leave entries out.
    if (typeof expectedSeq === 'number' && expectedSeq < firstSeq) return { kind: 'move_back', to: expectedSeq };
    return { kind: 'park' };
  }
  if (PARK_CODES.has(error.code)) return { kind: 'park' };
  if (WAIT_CODES.has(error.code)) {
    return { kind: 'wait', retryAfterS: typeof retryAfterS === 'number' ? retryAfterS : null };
  }
  return { kind: 'pass_on' };
}

/** The code under which a refusal is parked: Central Command's own where it named one. */
export function parkCode(error: AgentError): string {
  const { problem_code: problemCode } = error.details;
  return typeof problemCode === 'string' ? problemCode : error.code;
}

/** @param tries refusals in a row so far, this one not counted */
export function parkUntil(tries: number, nowS: number): { until: number; tries: number } {
  return {
    until: nowS + Math.min(PARK_FIRST_S * 2 ** Math.min(tries, MAX_DOUBLINGS), PARK_LONGEST_S),
    tries: tries + 1,
  };
}

/** True while a refusal holds. A wall clock that was set back must not stretch the pause beyond the longest one. */
export function isParked(row: Pick<ParkedRow, 'until'> | null, nowS: number): boolean {
  return row !== null && nowS < row.until && row.until - nowS <= PARK_LONGEST_S;
}

/**
 * Milliseconds to wait after the given number of failures in a row (1 or more): doubling, upper half random, and never less
 * than the server asked for.
 *
 * @param random uniform in [0, 1)
 */
export function backoffMs(failures: number, random: number, retryAfterS: number | null): number {
  const full = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(failures - 1, MAX_DOUBLINGS), BACKOFF_LONGEST_MS);
  return Math.max(full / 2 + (full / 2) * random, (retryAfterS ?? 0) * 1000);
}
