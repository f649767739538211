import { AgentError } from '../../agent/errors/agent-error.ts';
import type { EnrolmentRow } from '../store/enrolment-table.ts';
import type { Records } from './central.ts';
import { confirmDevice } from './confirm-appliance.ts';

/**
 * Makes a waiting device a pending one of a site, within the caller's transaction. A serial that the site's policy confirms
 * by itself counts only where a secret came with it (a token, a code): a serial alone stands on the outside of the box.
 *
 * @throws enrolment_other_site, claim_unknown where the device is not waiting any more
 */
export function tieToSite(
  central: Records,
  deviceSpki: string,
  siteId: string,
  source: EnrolmentRow['source'],
  at: number,
): EnrolmentRow {
  const { claims, enrolments } = central.store;
  const known = enrolments.byDevice(deviceSpki);
  if (known !== null && known.site_id !== siteId) {
    throw new AgentError('enrolment_other_site', `the device is known at ${known.site_id} already`);
  }
  if (known === null || known.state === 'pending') {
    const waiting = claims.waitingDevice(deviceSpki);
    if (waiting === null) throw new AgentError('claim_unknown', 'no device waits with this code');
    const { first_claim_at: _first, last_claim_at: _last, macs: _macs, ...device } = waiting;
    enrolments.claim({ ...device, site_id: siteId, source }, at);
  }
  const device = enrolments.byDevice(deviceSpki) as EnrolmentRow;
  const policy = central.trust.policy(siteId)?.value;
  const named = device.serial !== null && policy?.auto_confirm.includes(device.serial) === true;
  if (source !== 'mac' && device.state === 'pending' && named) {
    confirmDevice(central, device, { approver: 'auto-confirm' });
  }
  return enrolments.byDevice(deviceSpki) as EnrolmentRow;
}
