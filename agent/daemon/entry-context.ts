// What every entry says of its surroundings at the moment it is written.
import type { EntryContext } from '../evidence/log.ts';
import type { SignedTime } from '../trust/signed-time.ts';
import { timeT } from '../trust/signed-time.ts';
import { clockHealth } from './build-health.ts';
import type { DaemonContext } from './context.ts';
import type { TrustState } from './trust-state.ts';
import type { ClockHealth } from './agent-state.ts';

/** Source and skew of the times, by the last signed time of this boot. */
export function clockOf(context: DaemonContext, signed: SignedTime | null): ClockHealth {
  const { clock, state } = context;
  const t = timeT(signed, clock.bootMs(), clock.bootId());
  return clockHealth(state.clockSynchronised, t === null ? null : t * 1_000 - clock.wallMs(), t !== null);
}

export function entryContext(context: DaemonContext, trust: TrustState): EntryContext {
  const { root } = trust.root();
  return {
    agent_version: context.build.version,
    nixos_revision: context.build.nixosRevision,
    derivation_digest: context.build.derivationDigest,
    clock: { ...clockOf(context, context.store.trust.signedTime()), boot_id: context.clock.bootId() },
    root_version: root.version,
    policy_version: trust.policy()?.value.version ?? null,
    ruleset_digest: trust.rulesetDigest(),
    ...(root.single_approver === undefined ? {} : { single_approver: true }),
  };
}
