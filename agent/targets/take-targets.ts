// From a decoded frame to the table: what is stale is refused, before anything of it replaces what is there.
import { AgentError } from '../errors/agent-error.ts';
import type { TargetsFrame } from '../wire/targets-frame.ts';
import { MAX_TARGET_AGE_MS, type Target, type TargetTable } from './target.ts';

/** Signed time of an answer (agent/trust/signed-time.ts): Unix seconds, and the boot clock when its request left. */
export interface AnswerTime {
  readonly serverTime: number;
  readonly bootMs: number;
}

/**
 * Takes over the targets of an answer as a whole; an empty list wipes.
 *
 * @param time of that very answer
 * @throws targets_expired; the secrets of the frame are zeroed then and nothing else changes
 */
export function takeTargets(table: Pick<TargetTable, 'replace'>, frame: TargetsFrame, time: AnswerTime): void {
  const lifeMs = (frame.expiresAt - time.serverTime) * 1_000;
  if (lifeMs <= 0 || lifeMs > MAX_TARGET_AGE_MS) {
    for (const { secret } of frame.targets) secret.fill(0);
    const sentence = lifeMs <= 0 ? 'the targets are over already' : 'the targets would last longer than 15 minutes';
    throw new AgentError('targets_expired', sentence);
  }
  table.replace(frame.targets.map(targetOf), time.bootMs + lifeMs);
}

function targetOf({ target, secret }: TargetsFrame['targets'][number]): Target {
  const { credential_id: credentialId, credential_version: credentialVersion, secret: _place, ...rest } = target;
  return { ...rest, credentialId, credentialVersion, secret };
}
