// Who would refuse this server once the backup CA is in use? Appliances go by the trust root that they took last.
import { AgentError } from '../../agent/errors/agent-error.ts';
import { centralCas } from '../../agent/trust/central-cas.ts';
import type { Root } from '../../agent/wire/schemas/root.ts';
import { FIRST_GENERATION } from '../ca/certificate-authority.ts';
import { caGeneration, type Records } from './central.ts';

/**
 * Appliances in service whose last check-in did not report a root that names this CA. All that was ever given out in the time of the
 * first CA names its backup, sticks and roots, so nobody is left behind by the first switch.
 */
export function leftBehind({ store, trust }: Records, pin: string): string[] {
  if (caGeneration(store) === FIRST_GENERATION) return [];
  const roots = [trust.root(), ...trust.earlierRoots()].map(({ root }) => root);
  const knowing = new Set(roots.filter((root) => names(root, pin)).map((root) => root.version));
  return store.enrolments
    .list()
    .filter((device) => device.state === 'confirmed')
    .flatMap(({ appliance_id: id }) => id ?? [])
    .filter((id) => isInService(store, id) && !knowing.has(store.checkins.status(id)?.root_version ?? 0))
    .toSorted();
}

/**
 * @throws ca_not_in_root, appliances_left_behind
 */
export function refuseLeavingBehind(central: Records, pin: string): void {
  const { root } = central.trust.root();
  const mayNameNone = caGeneration(central.store) === FIRST_GENERATION && root.central_cas === undefined;
  if (!mayNameNone && !names(root, pin)) {
    throw new AgentError('ca_not_in_root', `trust root ${root.version} does not name the backup CA, pin ${pin}`);
  }
  const behind = leftBehind(central, pin);
  if (behind.length > 0) {
    throw new AgentError(
      'appliances_left_behind',
      `no root that names the backup CA was taken by ${behind.join(', ')}`,
      {
        details: { count: behind.length },
      },
    );
  }
}

export const names = (root: Root, pin: string): boolean => centralCas(root).some((ca) => ca.pin === pin);

function isInService({ appliances }: Records['store'], id: string): boolean {
  const out = appliances.decommissioned(id);
  return appliances.revoked(id) === null && (out === null || out.epoch < (appliances.binding(id)?.epoch ?? 0));
}
