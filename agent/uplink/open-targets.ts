// Opens the targets of a verified answer with the one key that its request named.
import { isAgentError, type AgentError } from '../errors/agent-error.ts';
import { takeTargets } from '../targets/take-targets.ts';
import type { TargetTable } from '../targets/target.ts';
import { decodeBase64 } from '../wire/base64.ts';
import { openHpke, type HpkeKeyPair } from '../wire/hpke.ts';
import type { CheckinAnswer } from '../wire/schemas/checkin.ts';
import { decodeTargetsFrame, TARGETS_INFO, targetsAad } from '../wire/targets-frame.ts';

/**
 * Takes over the targets of an answer, if there are any. What does not open, fit or last changes nothing: the targets in
 * force stay until they expire, and the rest of the answer counts.
 *
 * @param time of this answer
 * @returns why they were not taken; null where they were, or where there were none
 */
export async function openTargets(
  table: Pick<TargetTable, 'replace'> | undefined,
  answer: Pick<CheckinAnswer, 'targets' | 'request_sha256' | 'expires_at'>,
  key: HpkeKeyPair,
  time: { readonly serverTime: number; readonly bootMs: number },
): Promise<AgentError | null> {
  if (table === undefined || answer.targets === undefined) return null;
  let frame: Buffer | null = null;
  try {
    const aad = targetsAad(answer.request_sha256, answer.expires_at);
    frame = await openHpke(key, decodeBase64(answer.targets.hpke), { info: TARGETS_INFO, aad });
    takeTargets(table, decodeTargetsFrame(frame), time);
    return null;
  } catch (error) {
    if (isAgentError(error) && error.code !== 'internal') return error;
    throw error;
  } finally {
    frame?.fill(0);
  }
}
