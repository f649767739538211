import { AgentError } from '../../agent/errors/agent-error.ts';
import { CompactRange, leafHash } from '../../agent/wire/merkle.ts';
import { streamLog } from '../evidence-store/evidence-store.ts';
import type { SegmentStore } from '../evidence-store/segment-store.ts';
import type { Records } from './central.ts';
import type { WitnessedRow } from '../store/witness-table.ts';

export interface LogAtSize {
  readonly size: number;
  /** Hex Merkle root over that many stored entries. */
  readonly root: string;
  /** The last checkpoint that the witness cosigned; null before the first. */
  readonly cosigned: WitnessedRow | null;
  /** Entries under a receipt. */
  readonly stored: number;
}

/**
 * Size and root from which on a log is to be revoked, from what is stored.
 *
 * @param wanted null: the size of the last cosigned checkpoint, or as many entries of it as are stored
 * @throws origin_not_bound | usage (no such size, or nothing to go by) | log_root_mismatch (the witness cosigned another root
 *   at that size) | evidence_damaged
 */
export async function logAtSize(
  { store }: Records,
  segments: SegmentStore,
  origin: string,
  wanted: number | null,
): Promise<LogAtSize> {
  if (store.appliances.bindingOf(origin) === null) {
    throw new AgentError('origin_not_bound', 'no appliance is bound to this log', { place: origin });
  }
  const cosigned = store.witness.latest(origin);
  const stored = store.evidence.latestReceipt(origin)?.size ?? 0;
  if (wanted === null && cosigned === null) {
    throw new AgentError('usage', 'the witness cosigned nothing of this log', {
      place: origin,
      remedy: 'say with --size how many entries stay trusted',
    });
  }
  const size = wanted ?? Math.min(cosigned?.size ?? 0, stored);
  if (size > stored)
    throw new AgentError('usage', `only ${stored} entries of the log are stored here`, { place: origin });
  const root = await rootAt(segments, origin, size);
  const seen = [cosigned, ...store.witness.days(origin)].find((row) => row?.size === size);
  if (seen !== null && seen !== undefined && seen.root !== root) {
    throw new AgentError('log_root_mismatch', `the witness cosigned another root over ${size} entries`, {
      place: origin,
    });
  }
  return { size, root, cosigned, stored };
}

async function rootAt(segments: SegmentStore, origin: string, size: number): Promise<string> {
  const range = CompactRange.from(0, []);
  if (size > 0) {
    for await (const line of streamLog(segments, origin)) {
      range.append(leafHash(line));
      if (range.size === size) break;
    }
  }
  if (range.size < size) throw new AgentError('evidence_damaged', `entry ${range.size} is missing`, { place: origin });
  return range.root().toString('hex');
}
