// Writes the tiles of the log's tree as they fill up: every 256th entry makes one, and every 256th tile one of the next level.
import { AgentError } from '../errors/agent-error.ts';
import type { Store } from '../store/open-store.ts';
import { HASH_BYTES } from '../wire/merkle.ts';
import { TILE_HASHES, tileRoot } from '../wire/tiles.ts';

/** Tiles per transaction where many are missing: after an update from a version that wrote none. */
const TILES_PER_UNIT = 64;

/**
 * Adds every tile that the entries of `epoch` fill and that is not there yet. Joins a running unit. Throws `store_corrupt`
 * where leaves are missing.
 */
export function completeTiles(store: Store, epoch: number): void {
  const { size } = store.entries.state(epoch);
  const full = Math.floor(size / TILE_HASHES);
  for (let from = store.tiles.count(epoch, 0); from < full; from += TILES_PER_UNIT) {
    store.unit(() => {
      for (let n = from; n < Math.min(from + TILES_PER_UNIT, full); n += 1) addTile(store, epoch, n);
    });
  }
}

function addTile(store: Store, epoch: number, n: number): void {
  const leaves = leavesOf(store, epoch, n);
  store.tiles.put(epoch, 0, n, leaves);
  let [hash, index] = [tileRoot(leaves), n];
  for (let level = 1; ; level += 1) {
    const tile = Math.floor(index / TILE_HASHES);
    const held = index % TILE_HASHES;
    const begun = held === 0 ? Buffer.alloc(0) : store.tiles.get(epoch, level, tile);
    const hashes =
      begun?.length === held * HASH_BYTES
        ? Buffer.concat([begun, hash])
        : tileFromBelow(store, epoch, level, tile, held + 1);
    store.tiles.put(epoch, level, tile, hashes);
    if (hashes.length < TILE_HASHES * HASH_BYTES) return;
    [hash, index] = [tileRoot(hashes), tile];
  }
}

function leavesOf(store: Store, epoch: number, n: number): Buffer {
  const leaves = store.entries.leaves(epoch, n * TILE_HASHES, TILE_HASHES);
  if (leaves.length !== TILE_HASHES * HASH_BYTES) throw damaged(epoch, 0, n);
  return leaves;
}

/** A tile that is gone is no reason to write no more entries: what lies below makes it again. */
function tileFromBelow(store: Store, epoch: number, level: number, n: number, count: number): Buffer {
  const roots = Array.from({ length: count }, (_, i) => {
    const below = n * TILE_HASHES + i;
    const kept = store.tiles.get(epoch, level - 1, below);
    if (kept?.length === TILE_HASHES * HASH_BYTES) return tileRoot(kept);
    return tileRoot(
      level === 1 ? leavesOf(store, epoch, below) : tileFromBelow(store, epoch, level - 1, below, TILE_HASHES),
    );
  });
  return Buffer.concat(roots);
}

function damaged(epoch: number, level: number, n: number): AgentError {
  return new AgentError('store_corrupt', 'the tree of the evidence log has a hole', {
    place: `evidence log, epoch ${epoch}`,
    details: { level, n },
  });
}
