import { X509Certificate } from 'node:crypto';
import { DEVICE_CERTIFICATE_S } from '../ca/certificate-authority.ts';
import type { BindingRow, IssuedFor } from '../store/appliance-table.ts';
import type { Central } from './central.ts';

/** A certificate with less than this part of its life left is not handed out again. */
const REISSUE_BELOW = 0.9;
/** A recovered certificate is valid from so long ago: the clock of a box that was off for long is seldom right. */
const RECOVERY_BACKDATE_S = 86_400;

/** A certificate for the bound TLS key; the last one while it is nearly new, so that repeated requests do not mint many. */
export async function certificateFor(
  central: Pick<Central, 'store' | 'authority' | 'now'>,
  binding: BindingRow,
  issuedFor: IssuedFor = 'enrolment',
): Promise<string> {
  const now = central.now();
  const last = central.store.appliances.latestCertificate(binding.appliance_id);
  const nearlyNew = last !== null && last.not_after - now > DEVICE_CERTIFICATE_S * REISSUE_BELOW;
  // A later epoch may have bound another TLS key since, and another CA may be in use.
  if (nearlyNew && spkiOf(last.pem) === binding.tls_spki && isIssuedBy(last.pem, central.authority.caPem))
    return last.pem;
  const issued = await central.authority.issueDevice({
    applianceId: binding.appliance_id,
    spki: Buffer.from(binding.tls_spki, 'base64'),
    now,
    ...(issuedFor === 'recovery' ? { backdateS: RECOVERY_BACKDATE_S } : {}),
  });
  central.store.appliances.addCertificate({
    serial: issued.serial,
    appliance_id: binding.appliance_id,
    not_after: issued.notAfter,
    pem: issued.pem,
    issued_at: now,
    issued_for: issuedFor,
  });
  return issued.pem;
}

const isIssuedBy = (pem: string, caPem: string): boolean =>
  new X509Certificate(pem).verify(new X509Certificate(caPem).publicKey);
const spkiOf = (pem: string): string =>
  new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
