// Roots and proofs of the log at any size up to its own, in O(log n), from tiles and the leaves after the last full one.
import { AgentError } from '../errors/agent-error.ts';
import type { Store } from '../store/open-store.ts';
import { CompactRange, HASH_BYTES } from '../wire/merkle.ts';
import {
  consistencyFromTiles,
  inclusionFromTiles,
  rangeFromTiles,
  rootFromTiles,
  TILE_HASHES,
  type ReadTile,
} from '../wire/tiles.ts';

export interface LogTree {
  size(): number;
  /** Hex root over the first `size` entries (default: all). Throws `proof_invalid` beyond the log's end. */
  rootAt(size?: number): string;
  /** The tree over the first `size` entries, to be continued. */
  rangeAt(size: number): CompactRange;
  /** RFC 9162 audit path of entry `seq` in the tree of `size` entries. */
  inclusionProof(seq: number, size: number): Buffer[];
  /** RFC 9162 consistency proof between two sizes. */
  consistencyProof(oldSize: number, size: number): Buffer[];
}

/** Reads only. Everything throws `store_corrupt` where a tile or a leaf is missing. */
export function logTree(store: Store, epoch: number): LogTree {
  /** One tile is asked for several times in a proof. */
  const reader = (): ReadTile => {
    const seen = new Map<string, Buffer>();
    return (level, n, count) => {
      const key = `${level}/${n}`;
      const known = seen.get(key);
      if (known !== undefined && known.length >= count * HASH_BYTES) return known;
      const tile = store.tiles.get(epoch, level, n) ?? tail(level, n);
      if (tile.length < count * HASH_BYTES) {
        throw new AgentError('store_corrupt', 'the tree of the evidence log has a hole', { details: { level, n } });
      }
      seen.set(key, tile);
      return tile;
    };
  };
  const tail = (level: number, n: number): Buffer =>
    level === 0 ? store.entries.leaves(epoch, n * TILE_HASHES, TILE_HASHES) : Buffer.alloc(0);
  const upTo = (size: number): number => {
    const own = store.entries.state(epoch).size;
    if (size <= own) return size;
    throw new AgentError('proof_invalid', `the log has ${own} entries, not ${size}`);
  };
  return {
    size: () => store.entries.state(epoch).size,
    rootAt: (given) => {
      const { size, range } = store.entries.state(epoch);
      const root =
        given === undefined || given === size
          ? CompactRange.from(size, range).root()
          : rootFromTiles(reader(), upTo(given));
      return root.toString('hex');
    },
    rangeAt: (size) => CompactRange.from(size, rangeFromTiles(reader(), upTo(size))),
    inclusionProof: (seq, size) => inclusionFromTiles(reader(), seq, upTo(size)),
    consistencyProof: (oldSize, size) => consistencyFromTiles(reader(), oldSize, upTo(size)),
  };
}
