// What the status of a channel's answer means for the delivery. Pure.
import { AgentError } from '../errors/agent-error.ts';

/** Longer pauses than this are not obeyed: the other side may have meant milliseconds. */
const LONGEST_PAUSE_S = 3_600;

/** Statuses that say that this very message will never be taken. */
const NEVER = new Set([400, 406, 411, 413, 414, 415, 422]);

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * Returns for 2xx.
 *
 * @param nowMs wall clock, for a `Retry-After` that names a date (RFC 9110, 10.2.3)
 * @throws output_refused, output_failed
 */
export function judgeAnswer(answer: Answer, host: string, nowMs: number): void {
  const { status } = answer;
  if (status >= 200 && status < 300) return;
  const place = host;
  if (NEVER.has(status)) {
    throw new AgentError('output_refused', `it does not take the message (status ${status})`, {
      place,
      details: { status },
    });
  }
  const pause = retryAfterS(answer.headers['retry-after'], nowMs);
  throw new AgentError('output_failed', `it answered with status ${status}`, {
    place,
    details: { status, ...(pause === null ? {} : { retry_after_s: pause }) },
  });
}

/** Seconds to wait, or null where nothing usable is said. */
export function retryAfterS(header: string | readonly string[] | undefined, nowMs: number): number | null {
  const text = typeof header === 'string' ? header.trim() : header?.[0]?.trim();
  if (text === undefined || text === '') return null;
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : (Date.parse(text) - nowMs) / 1_000;
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(Math.ceil(seconds), LONGEST_PAUSE_S) : null;
}
