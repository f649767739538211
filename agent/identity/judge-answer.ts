// Is a verified answer the answer to this request, and fresh? Never judged by a wall clock (docs/formats/checkin.md). Pure.
import { AgentError } from '../errors/agent-error.ts';

/** An answer counts for so long after its request was sent, on the boot clock. */
export const ANSWER_MAX_AGE_MS = 60_000;
/** `expires_at` lies at most this far behind `server_time`. */
export const ANSWER_LIFETIME_S = 300;

export interface AnswerTimes {
  readonly request_sha256: string;
  readonly server_time: number;
  readonly expires_at: number;
}

export interface Exchange {
  /** Digest of the payload bytes of the request that was sent. */
  readonly requestSha256: string;
  readonly sentBootMs: number;
  readonly receivedBootMs: number;
  readonly place: string;
}

/** @throws answer_other_request | answer_late | answer_lifetime */
export function judgeAnswer(answer: AnswerTimes, exchange: Exchange): void {
  const { place } = exchange;
  if (answer.request_sha256 !== exchange.requestSha256) {
    throw new AgentError('answer_other_request', 'the signed answer belongs to another request', { place });
  }
  const ageMs = exchange.receivedBootMs - exchange.sentBootMs;
  if (ageMs < 0 || ageMs > ANSWER_MAX_AGE_MS) {
    throw new AgentError('answer_late', `the signed answer came ${Math.round(ageMs / 1000)} s after its request`, {
      place,
      details: { age_ms: ageMs },
    });
  }
  const lifetimeS = answer.expires_at - answer.server_time;
  if (lifetimeS <= 0 || lifetimeS > ANSWER_LIFETIME_S || lifetimeS * 1000 < ageMs) {
    throw new AgentError('answer_lifetime', `the signed answer is valid for ${lifetimeS} s`, {
      place,
      details: { lifetime_s: lifetimeS },
    });
  }
}
