// The targets in force, in memory only. Secrets are zeroed when their list is replaced, wiped or too old, and a running
// runbook's copy when its lease ends.
import type { Clock } from '../system/ports.ts';
import type { SitePolicy } from '../wire/schemas/site-policy.ts';
import { MAX_LEASE_MS, MAX_TARGET_AGE_MS } from './target.ts';
import type { Target, TargetInfo, TargetLease, TargetTable } from './target.ts';
import { isReachable } from './target-networks.ts';

export type TargetState = 'ready' | 'outside_networks';

/** What the daemon has of the table beyond those who run something on a target. */
export interface OwnTargetTable extends TargetTable {
  /** All that the list in force names, those that site policy forbids included. */
  states(): readonly { readonly info: TargetInfo; readonly state: TargetState }[];
  /**
   * Ids of those that may be reached over TLS, by the last list that came, also once its secrets are gone; null before the first. A list
   * that was wiped or expired takes no target away: it comes again.
   */
  namedOverTls(): readonly string[] | null;
  /** Every secret that is in memory now: for the log's filter, which must know what it must not write. */
  liveSecrets(): readonly Buffer[];
}

export interface TargetTableDeps {
  readonly clock: Pick<Clock, 'bootMs'>;
  /** `target_networks` of the site policy in force; empty without one, so that nothing may be reached. */
  readonly networks: () => SitePolicy['target_networks'];
}

interface Lease {
  readonly secret: Buffer;
  readonly endsBootMs: number;
}

export function createTargetTable({ clock, networks }: TargetTableDeps): OwnTargetTable {
  let infos: readonly TargetInfo[] = [];
  const secrets = new Map<string, Buffer>();
  let expiresBootMs = 0;
  const leases = new Set<Lease>();
  let overTls: readonly string[] | null = null;

  const wipe = (): void => {
    for (const secret of secrets.values()) secret.fill(0);
    secrets.clear();
    infos = [];
  };
  const sweep = (): void => {
    const now = clock.bootMs();
    if (infos.length > 0 && now >= expiresBootMs) wipe();
    for (const lease of leases) if (now >= lease.endsBootMs) end(lease);
  };
  const end = (lease: Lease): void => {
    lease.secret.fill(0);
    leases.delete(lease);
  };
  const allowed = (info: TargetInfo): boolean => isReachable(info, networks());
  const find = (id: string): TargetInfo | null => {
    sweep();
    const info = infos.find((one) => one.id === id);
    // Asked each time: the policy may have changed since the list came.
    return info !== undefined && secrets.has(id) && allowed(info) ? info : null;
  };

  return {
    list() {
      sweep();
      return infos.filter((info) => secrets.has(info.id) && allowed(info));
    },
    get: find,
    lease(id): TargetLease | null {
      const info = find(id);
      const held = secrets.get(id);
      if (info === null || held === undefined) return null;
      const secret = Buffer.allocUnsafeSlow(held.length);
      held.copy(secret);
      const lease = { secret, endsBootMs: clock.bootMs() + MAX_LEASE_MS };
      leases.add(lease);
      return { target: { ...info, secret }, release: () => end(lease) };
    },
    replace(targets, expires) {
      wipe();
      for (const target of targets) {
        // A secret that may not be used is not kept either.
        if (allowed(target)) secrets.set(target.id, target.secret);
        else target.secret.fill(0);
      }
      infos = targets.map(withoutSecret);
      overTls = infos.filter((info) => info.scheme === 'https' && allowed(info)).map(({ id }) => id);
      expiresBootMs = Math.min(expires, clock.bootMs() + MAX_TARGET_AGE_MS);
    },
    wipe,
    namedOverTls: () => overTls,
    states() {
      sweep();
      return infos.map((info) => ({ info, state: find(info.id) === null ? 'outside_networks' : 'ready' }));
    },
    liveSecrets() {
      sweep();
      return [...secrets.values(), ...[...leases].map((lease) => lease.secret)];
    },
  };
}

function withoutSecret({ secret: _secret, ...info }: Target): TargetInfo {
  return info;
}
