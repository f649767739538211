// How healing stands, for `status`.
import { healingRank } from '../guards/judge-healing.ts';
import { blockedRunbooks, isMemoryWhole, siteBreakers } from '../healing/healing-memory.ts';
import type { HealingStanding } from '../system/status-file.ts';
import type { Enrolled } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { pausedByHand, pausedByOrder } from './healing-pause.ts';

export function healingStanding(
  { trust, identity }: Enrolled,
  { store, config, healing }: DaemonContext,
): HealingStanding {
  const signed = trust.policy()?.value.healing.mode ?? 'off';
  const open = [...siteBreakers(store)].filter(([, { openedAt }]) => openedAt !== null).map(([id]) => id);
  return {
    mode: healingRank(config.healing_mode) < healingRank(signed) ? config.healing_mode : signed,
    paused_by_order: pausedByOrder(store),
    paused_by_hand: pausedByHand(store),
    rules: healing.rules.index.size,
    rules_refused: healing.rules.refused.length,
    grants: trust.content()?.value.grants.length ?? 0,
    memory_lost: !isMemoryWhole(store, identity.epoch),
    stopped_runbooks: [...new Set([...open, ...blockedRunbooks(store)])].toSorted(),
    incidents: store.incidents.counts(),
  };
}
