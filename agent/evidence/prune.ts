// Prunes the oldest lines of the log from the appliance: only what Central Command signed for and a witness cosigned. What was
// written into the store is not believed: receipt and checkpoint are verified again, and their roots compared with our tree.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { EnrolledIdentity, Store } from '../store/open-store.ts';
import { openCosigned } from '../trust/cosigned-checkpoint.ts';
import { readSource, type Opened } from '../trust/open-document.ts';
import { parseDocument } from '../wire/document.ts';
import type { Root } from '../wire/schemas/root.ts';
import { TILE_HASHES } from '../wire/tiles.ts';
import { verifyReceipt } from '../verify/verify-receipt.ts';
import { logTree } from './log-tree.ts';
import { prunableSize, storedBefore, type RetentionRules } from './what-to-prune.ts';

/** Tiles in one transaction: 2,048 entries, some 6 MB of lines. */
const TILES_PER_UNIT = 8;
/** Receipts looked at in one go. */
const RECEIPTS_PER_PAGE = 64;

export interface PruneDeps {
  readonly store: Store;
  readonly identity: Pick<EnrolledIdentity, 'origin' | 'epoch'>;
  readonly deviceSpki: string;
  readonly root: Root;
  readonly revokedKeyids: ReadonlySet<string>;
  readonly rules: RetentionRules;
  /** T, Unix seconds: without signed time nothing is pruned. */
  readonly nowT: number;
  /**
   * Our own wall clock, Unix seconds. Receipts, their date and T all come from keys that Central Command holds: only the time
   * since a receipt came in, on a clock that it does not set, keeps it from having lines pruned early.
   */
  readonly wallNow: number;
}

export interface Pruned {
  /** Lines that went. */
  readonly removed: number;
  /** The bound after it; 0 where nothing was ever pruned. */
  readonly size: number;
}

/**
 * Prunes what may go, in steps of one transaction each; other work gets its turn in between.
 *
 * @throws store_corrupt where the tiles are not those of the lines: nothing is pruned then
 */
export async function pruneLog(deps: PruneDeps, signal: AbortSignal): Promise<Pruned> {
  const { store, rules, nowT } = deps;
  const { epoch } = deps.identity;
  const { size } = store.entries.state(epoch);
  let pruned = store.prunes.get(epoch)?.size ?? 0;
  const cosigned = cosignedSize(deps);
  const receipt = cosigned > pruned ? await oldReceipt(deps, pruned, signal) : null;
  if (receipt === null) return { removed: 0, size: pruned };
  const facts = { size: receipt.value.size, storedAt: receipt.value.stored_at };
  const end = prunableSize({ size, pruned, nowT, receipt: facts, cosigned }, rules);
  let removed = 0;
  while (pruned < end) {
    signal.throwIfAborted();
    const to = Math.min(pruned + TILES_PER_UNIT * TILE_HASHES, end);
    removed += store.unit(() => {
      for (let n = pruned / TILE_HASHES; n < to / TILE_HASHES; n += 1) assertTile(store, epoch, n);
      return store.prunes.advance(epoch, {
        to,
        // "Unchanged since entry N" must be more than a number for as long as it holds.
        keep: store.findings.all().map((state) => state.sinceSeq),
        receiptSize: facts.size,
        checkpointSize: cosigned,
        at: nowT,
      });
    });
    pruned = to;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { removed, size: pruned };
}

/** Size of the last checkpoint that the witness cosigned and that our log leads to; 0 where it does not hold. */
function cosignedSize({ store, identity, deviceSpki, root }: PruneDeps): number {
  const { origin, epoch } = identity;
  const row = store.checkpoints.latest(origin);
  if (row === null) return 0;
  return (
    held(() => {
      const { checkpoint, witnessedAt } = openCosigned(root, row.note, { origin, spki: deviceSpki });
      const isOurs = logTree(store, epoch).rootAt(checkpoint.size) === checkpoint.root.toString('hex');
      return witnessedAt !== null && isOurs ? checkpoint.size : null;
    }) ?? 0
  );
}

/** The largest receipt beyond `pruned` that was signed long enough ago and holds; null without one. */
async function oldReceipt(deps: PruneDeps, pruned: number, signal: AbortSignal): Promise<Opened<'receipt'> | null> {
  const { store, identity, root, revokedKeyids } = deps;
  const latest = storedBefore(deps.nowT, deps.rules);
  const latestHere = storedBefore(deps.wallNow, deps.rules);
  const tree = logTree(store, identity.epoch);
  let below = Number.MAX_SAFE_INTEGER;
  for (;;) {
    signal.throwIfAborted();
    const page = store.uplink.receiptsBetween(identity.origin, pruned, below, RECEIPTS_PER_PAGE);
    for (const { line, at } of page) {
      if (at > latestHere) continue;
      // What it says of itself sorts out the young ones; what counts is verified.
      if ((held(() => claimedTime(line)) ?? Infinity) > latest) continue;
      const receipt = held(() =>
        verifyReceipt(root, line, { origin: identity.origin, rootAt: (size) => tree.rootAt(size), revokedKeyids }),
      );
      if (receipt !== null && receipt.value.size > pruned && receipt.value.stored_at <= latest) return receipt;
    }
    const last = page.at(-1);
    if (last === undefined) return null;
    below = last.size;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function claimedTime(line: string): number {
  return parseDocument('receipt', readSource('receipt', line, undefined).envelope.payload).stored_at;
}

/** Null where what lies in the store does not hold: it permits nothing, whoever put it there. */
function held<T>(open: () => T): T | null {
  try {
    return open();
  } catch (error) {
    if (!isAgentError(error) || error.code === 'internal' || error.code.startsWith('store_')) throw error;
    return null;
  }
}

/** The tile is all that is left of its lines: it must be the hashes of exactly these. */
function assertTile(store: Store, epoch: number, n: number): void {
  const leaves = store.entries.leaves(epoch, n * TILE_HASHES, TILE_HASHES);
  const tile = store.tiles.get(epoch, 0, n);
  if (tile !== null && leaves.length > 0 && tile.equals(leaves)) return;
  throw new AgentError('store_corrupt', 'the tree of the evidence log is not that of its lines', {
    place: `evidence log, epoch ${epoch}`,
    details: { level: 0, n },
  });
}
