// Whether a helper may run once more. Pure.
import { AgentError } from '../errors/agent-error.ts';
import type { RunLimit } from './verbs.ts';

export interface Run {
  readonly boot_id: string;
  readonly boot_ms: number;
}

/**
 * The runs that still count, with this one.
 *
 * @throws helper_rate_limited
 */
export function judgeRun(runs: readonly Run[], now: Run, limit: RunLimit): Run[] {
  const counted = runs.filter(
    ({ boot_id, boot_ms }) => boot_id === now.boot_id && now.boot_ms - boot_ms < limit.withinMs,
  );
  if (counted.length < limit.runs) return [...counted, now];
  const hours = Math.round(limit.withinMs / 3_600_000);
  throw new AgentError('helper_rate_limited', `it ran ${counted.length} times within ${hours} h`);
}
