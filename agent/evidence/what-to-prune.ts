// Which lines of the log need not stay on the appliance. Pure.
import { TILE_HASHES } from '../wire/tiles.ts';

const DAY_S = 86_400;

/** How much stays in any case (docs/configuration.md: `evidence_retention`, `prune_retention_days`). */
export interface RetentionRules {
  /** Newest entries. */
  readonly keepNewest: number;
  readonly minAgeDays: number;
}

export interface PruneFacts {
  /** Entries of the log, and those below which lines were pruned already. */
  readonly size: number;
  readonly pruned: number;
  /** T: signed time now, Unix seconds. */
  readonly nowT: number;
  /** A receipt that verified, is for this log and names our own root; null without one. */
  readonly receipt: { readonly size: number; readonly storedAt: number } | null;
  /** Size of the largest cosigned checkpoint that verified and names our own root; 0 without one. */
  readonly cosigned: number;
}

/** Signed times of receipts from before this were stored long enough ago. Unix seconds. */
export const storedBefore = (nowT: number, { minAgeDays }: RetentionRules): number => nowT - minAgeDays * DAY_S;

/**
 * The size below which lines may go: stored under the receipt for long enough, below the cosigned checkpoint, beyond the newest
 * that stay, in tiles that are full. `facts.pruned` where nothing more may.
 *
 * Age is that of the receipt: its time is signed, while the clock that an entry was written by may have been wrong.
 */
export function prunableSize(facts: PruneFacts, rules: RetentionRules): number {
  const { size, pruned, nowT, receipt, cosigned } = facts;
  if (receipt === null || receipt.storedAt > storedBefore(nowT, rules)) return pruned;
  const limit = Math.min(receipt.size, cosigned, size - rules.keepNewest);
  return Math.max(pruned, Math.floor(limit / TILE_HASHES) * TILE_HASHES);
}
