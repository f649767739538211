// Machines that people expect at a site, by serial number or network card: what stands on the label of the box.
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { HardwareKind } from '../store/claim-table.ts';
import type { Records } from './central.ts';
import { refuseUnknownSite } from './claim-codes.ts';

const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;
/** As long as a claim carries it. */
const SERIAL = /^[\x21-\x7e][\x20-\x7e]{0,63}$/;

/** The spelling in which claims carry it. @throws usage */
export function hardwareName(kind: HardwareKind, text: string): string {
  const value = kind === 'mac' ? text.trim().toLowerCase().replaceAll('-', ':') : text.trim();
  if ((kind === 'mac' ? MAC : SERIAL).test(value)) return value;
  throw new AgentError(
    'usage',
    kind === 'mac' ? 'a MAC address is six pairs of hex digits' : 'this is no serial number',
  );
}

/**
 * Lets the machine with this number wait for approval at the site. Registering it again begins anew.
 *
 * @param value as hardwareName spells it
 * @throws site_unknown
 */
export function expectMachine(
  central: Records,
  kind: HardwareKind,
  value: string,
  o: { siteId: string; days: number; person: string },
): { expiresAt: number } {
  refuseUnknownSite(central, o.siteId);
  const now = central.now();
  const expiresAt = now + o.days * 86_400;
  central.store.unit(() => {
    central.store.claims.expect({
      kind,
      value,
      site_id: o.siteId,
      registered_by: o.person,
      created_at: now,
      expires_at: expiresAt,
    });
    const detail = `${kind} ${value}`;
    central.store.access.add({ at: now, action: 'machine_expected', subject: o.siteId, person: o.person, detail });
  });
  return { expiresAt };
}

/** @throws machine_unknown */
export function forgetMachine(central: Records, kind: HardwareKind, value: string, person: string): void {
  central.store.unit(() => {
    if (!central.store.claims.forget(kind, value)) {
      throw new AgentError('machine_unknown', `no machine with ${kind} ${value} is expected`);
    }
    const at = central.now();
    central.store.access.add({ at, action: 'machine_forgotten', subject: `${kind} ${value}`, person });
  });
}
