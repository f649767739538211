// Claim codes at Central Command: made for a site, or shown by a device and approved by a technician. Either way the device
// is pending until an operator has confirmed its fingerprint.
import { randomBytes } from 'node:crypto';
import { AgentError } from '../../agent/errors/agent-error.ts';
import {
  CLAIM_CODE_BYTES,
  CLAIM_LIFE_S,
  claimAlias,
  claimCodeDigest,
  type TypedClaim,
} from '../../agent/wire/claim-code.ts';
import type { CodeRow } from '../store/claim-table.ts';
import type { EnrolmentRow } from '../store/enrolment-table.ts';
import type { Records } from './central.ts';
import { noteWrongClaim, refuseLocked, type Claimant } from './claim-lock.ts';
import { tieToSite } from './tie-to-site.ts';

/**
 * A code for one device of a site, to be printed, typed or scanned at the device. It is returned once and stored nowhere.
 *
 * @returns the code, 32 hex digits
 * @throws site_unknown
 */
export function newClaimCode(central: Records, siteId: string, person: string): { code: string; expiresAt: number } {
  refuseUnknownSite(central, siteId);
  const now = central.now();
  const code = randomBytes(CLAIM_CODE_BYTES).toString('hex');
  const expiresAt = now + CLAIM_LIFE_S;
  central.store.unit(() => {
    central.store.claims.addCode({
      sha256: claimCodeDigest(code),
      alias: claimAlias(code),
      made_by: 'site',
      site_id: siteId,
      device_spki: null,
      created_at: now,
      expires_at: expiresAt,
    });
    central.store.access.add({ at: now, action: 'claim_code_made', subject: siteId, person });
  });
  return { code, expiresAt };
}

/**
 * Ties the device that shows a code to a site. One code counts once: of two technicians the first one wins. A code that is
 * wrong, past its time, or used is answered in the same way, and counted against the technician.
 *
 * @throws claim_locked, claim_unknown, enrolment_other_site, site_unknown
 */
export function approveClaim(central: Records, typed: TypedClaim, o: Claimant & { siteId: string }): EnrolmentRow {
  refuseUnknownSite(central, o.siteId);
  refuseLocked(central, o);
  const device = central.store.unit(() => {
    const now = central.now();
    const row = findOpen(central, typed, now);
    if (row?.device_spki == null) return null;
    const { claims, access } = central.store;
    claims.useCode(row.sha256, { siteId: o.siteId, deviceSpki: row.device_spki, by: o.account, at: now });
    const tied = tieToSite(central, row.device_spki, o.siteId, 'qr', now);
    access.add({
      at: now,
      action: 'claim_approved',
      subject: o.siteId,
      person: o.account,
      address: o.address,
      detail: tied.fingerprint,
    });
    return tied;
  });
  if (device !== null) return device;
  noteWrongClaim(central, o);
  throw new AgentError('claim_unknown', 'no device shows this code now');
}

function findOpen({ store }: Records, typed: TypedClaim, now: number): CodeRow | null {
  if ('code' in typed) {
    const row = store.claims.code(claimCodeDigest(typed.code));
    const open = row !== null && row.made_by === 'device' && row.used_at === null && row.expires_at > now;
    return open ? row : null;
  }
  // Two open codes with one alias are 2^-40 likely: the whole code tells them apart.
  const rows = store.claims.openByAlias(typed.alias, now);
  return rows.length === 1 ? (rows[0] as CodeRow) : null;
}

/** @throws site_unknown */
export function refuseUnknownSite({ store }: Pick<Records, 'store'>, siteId: string): void {
  if (store.appliances.site(siteId) === null) throw new AgentError('site_unknown', `there is no site ${siteId}`);
}
