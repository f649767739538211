// The sealed recovery key of an appliance's disk, kept beside the one on its boot partition. It is sealed to the owner; nothing here opens it.
import { AgentError } from '../../agent/errors/agent-error.ts';
import { sha256Hex } from '../../agent/wire/digest.ts';
import type { RecoveryKeyTaken } from '../../agent/wire/schemas/recovery-key.ts';
import type { Central } from './central.ts';
import { identifyClient, type ClientCertificate } from './identify-client.ts';
import { openSignedByDevice } from './open-signed-by-device.ts';

/** Of one epoch of an appliance, which has one disk. One that is installed anew begins the next. */
export const MAX_RECOVERY_KEYS = 8;

/**
 * Stores it beside those that came before; the answer leaves once it is on the disk.
 *
 * @throws appliance_revoked, appliance_decommissioned, rate_limited (more than an appliance can have), the errors of
 *   openSignedByDevice
 */
export function takeRecoveryKey(
  { store, now }: Pick<Central, 'store' | 'now'>,
  client: ClientCertificate,
  body: Uint8Array,
): RecoveryKeyTaken {
  const binding = identifyClient({ store }, client);
  const { value } = openSignedByDevice('recoveryKey', binding, body);
  const { appliance_id, luks_uuid } = value;
  const { epoch } = binding;
  const sealed = Buffer.from(value.sealed, 'base64');
  const sha256 = sha256Hex(sealed);
  const { recoveryKeys } = store;
  const result = store.unit((): RecoveryKeyTaken['result'] => {
    if (recoveryKeys.has(appliance_id, sha256)) return 'known';
    if (recoveryKeys.count(appliance_id, epoch) >= MAX_RECOVERY_KEYS) {
      throw new AgentError('rate_limited', `the appliance handed over ${MAX_RECOVERY_KEYS} recovery keys already`);
    }
    recoveryKeys.add({ appliance_id, sha256, epoch, luks_uuid, sealed, received_at: now() });
    return 'stored';
  });
  return { sha256, result };
}
