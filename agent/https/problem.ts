// Problem documents (RFC 9457) and Retry-After (RFC 9110, section 10.2.3). They are unsigned: a hint for people and for
// when to try again, never a reason to drop or to do anything. Pure.

/** Larger problem documents are not read. */
const MAX_PROBLEM_BYTES = 16_384;
/** A server may make us wait this long and no longer. */
export const MAX_RETRY_AFTER_S = 3_600;

export interface Problem {
  /** Central Command's stable code, or `unnamed`. */
  readonly code: string;
  /** With `evidence_gap`: the seq that Central Command expects next. */
  readonly expectedSeq?: number;
  /** With `appliance_revoked`: what the person who revoked it wrote. */
  readonly reason?: string;
}

/** Longest reason that is passed on; any character that could steer a terminal ends it. */
// eslint-disable-next-line no-control-regex
const REASON = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{1,200}/u;

/** Null when the body is no problem document. */
export function parseProblem(body: Buffer): Problem | null {
  if (body.length > MAX_PROBLEM_BYTES) return null;
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { code, expected_seq: expectedSeq, reason } = value as Record<string, unknown>;
  const said = typeof reason === 'string' ? REASON.exec(reason)?.[0] : undefined;
  return {
    code: typeof code === 'string' && /^[a-z][a-z0-9_]{0,63}$/.test(code) ? code : 'unnamed',
    ...(Number.isSafeInteger(expectedSeq) && (expectedSeq as number) >= 0
      ? { expectedSeq: expectedSeq as number }
      : {}),
    ...(said === undefined ? {} : { reason: said }),
  };
}

/** Seconds to wait, 0 … 3600; null without a readable field. A date is taken relative to the answer's own Date field. */
export function retryAfterSeconds(headers: Readonly<Record<string, string>>): number | null {
  const value = headers['retry-after']?.trim();
  if (value === undefined) return null;
  if (/^[0-9]{1,9}$/.test(value)) return Math.min(Number(value), MAX_RETRY_AFTER_S);
  const until = Date.parse(value);
  const from = Date.parse(headers['date'] ?? '');
  if (Number.isNaN(until) || Number.isNaN(from)) return null;
  return Math.min(Math.max(0, Math.ceil((until - from) / 1000)), MAX_RETRY_AFTER_S);
}
