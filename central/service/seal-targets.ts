import { isAgentError } from '../../agent/errors/agent-error.ts';
import { sha256Hex } from '../../agent/wire/digest.ts';
import { sealHpke } from '../../agent/wire/hpke.ts';
import type { CheckinAnswer, CheckinRequest } from '../../agent/wire/schemas/checkin.ts';
import { encodeTargetsFrame, TARGETS_INFO, targetsAad } from '../../agent/wire/targets-frame.ts';
import type { Central } from './central.ts';
import { targetsOf, unsealTarget } from './targets.ts';

/** From the time of the answer on; the appliance takes no more. */
export const TARGETS_LIFE_S = 15 * 60;

/**
 * As {@link sealTargets}; where that fails, people are told, and the appliance gets the rest of its answer.
 */
export async function sealTargetsOrAlarm(
  central: Parameters<typeof sealTargets>[0],
  request: CheckinRequest,
  digest: string,
  answer: CheckinAnswer,
): Promise<{ hpke: string } | null> {
  const { alarms } = central.store;
  try {
    const targets = await sealTargets(central, request, digest, answer);
    if (targets !== null) alarms.clear('targets_not_sealed', request.appliance_id, central.now());
    return targets;
  } catch (error) {
    if (!isAgentError(error)) throw error;
    alarms.raise('targets_not_sealed', request.appliance_id, error.code, central.now());
    return null;
  }
}

/**
 * The targets of an appliance, sealed to the key of its request; null where it needs none now: it has no targets, or holds the
 * present list for long enough. An empty list is sent while the appliance still names targets.
 *
 * Nothing is sent into an epoch that people have not confirmed.
 *
 * @throws key_invalid, central_damaged, online_key_missing
 */
export async function sealTargets(
  central: Pick<Central, 'store' | 'now' | 'targetVault' | 'sentTargets'>,
  request: CheckinRequest,
  digest: string,
  answer: CheckinAnswer,
): Promise<{ hpke: string } | null> {
  const { appliance_id: applianceId, health } = request;
  if (request.epoch_state !== undefined) return null;
  const stored = targetsOf(central, applianceId, request.site_id);
  if (stored.length === 0 && health.targets.length === 0) return null;
  const list = sha256Hex(
    JSON.stringify(stored.map(({ row, credential: c }) => [row.json, c.credential_id, c.version])),
  );
  const holdsAll = sameIds(
    health.targets.map((target) => target.id),
    stored.map(({ row }) => row.target_id),
  );
  const now = central.now();
  if (holdsAll && !central.sentTargets.isDue(applianceId, list, now)) return null;
  const targets = stored.map((one) => unsealTarget(central.targetVault, one));
  const frame = encodeTargetsFrame(answer.server_time + TARGETS_LIFE_S, targets);
  try {
    const context = { info: TARGETS_INFO, aad: targetsAad(digest, answer.expires_at) };
    const blob = await sealHpke(Buffer.from(request.hpke_public_key, 'base64'), frame, context);
    central.sentTargets.note(applianceId, list, now);
    return { hpke: blob.toString('base64') };
  } finally {
    frame.fill(0);
    for (const { secret } of targets) secret.fill(0);
  }
}

const sameIds = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.toSorted().join() === b.toSorted().join();
