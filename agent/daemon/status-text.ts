// The one line that `systemctl status` shows. Pure.
import type { AgentStatus } from '../system/status-file.ts';

type Inputs = Pick<AgentStatus, 'state' | 'blocking_reason' | 'appliance_id' | 'site_id' | 'fingerprint'>;

/** What the appliance is doing, or the one reason why it is not. */
export function statusText(status: Inputs): string {
  const { state, blocking_reason: blocked, appliance_id, site_id, fingerprint } = status;
  const who = state === 'enrolled' ? `enrolled as ${appliance_id ?? '?'} at ${site_id ?? '?'}` : state;
  if (blocked !== null) return `${who}; ${blocked.sentence} (${blocked.code})`;
  return state === 'pending' && fingerprint !== null ? `waiting for confirmation of ${fingerprint}` : who;
}
