import { AgentError } from '../../agent/errors/agent-error.ts';

export interface Rate {
  /** Requests at once after a pause. */
  readonly burst: number;
  /** Requests per second in the long run. */
  readonly perSecond: number;
}

/** Buckets kept; beyond that, full ones are dropped (dropping them changes nothing). */
const MAX_BUCKETS = 10_000;

/**
 * One token bucket per key. Each address of the API has its own, so that uploads never eat into check-ins.
 *
 * @param nowMs a clock that does not jump
 */
export function rateLimiter(rate: Rate, nowMs: () => number): (key: string) => void {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const refilled = (bucket: { tokens: number; at: number }, now: number): number =>
    Math.min(rate.burst, bucket.tokens + ((now - bucket.at) / 1_000) * rate.perSecond);
  return (key) => {
    const now = nowMs();
    if (buckets.size >= MAX_BUCKETS) {
      for (const [other, bucket] of buckets) if (refilled(bucket, now) >= rate.burst) buckets.delete(other);
    }
    const bucket = buckets.get(key) ?? { tokens: rate.burst, at: now };
    const tokens = refilled(bucket, now);
    if (tokens < 1) throw new AgentError('rate_limited', 'too many requests');
    buckets.set(key, { tokens: tokens - 1, at: now });
  };
}
