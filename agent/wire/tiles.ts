// Tiles of a Merkle tree (c2sp.org/tlog-tiles): 256 hashes each. Hash `i` of tile (level, n) is the root over the 256^level
// leaves that begin at leaf (256 n + i) · 256^level. Roots and proofs come from few tiles, whatever the size. Pure.
import { AgentError } from '../errors/agent-error.ts';
import { EMPTY_ROOT, HASH_BYTES, nodeHash, splitOf } from './merkle.ts';

/** Hashes in a full tile, and the levels of the tree that it spans. */
export const TILE_HASHES = 256;
const TILE_HEIGHT = 8;

/** The hashes of a tile, one after the other: at least the first `count`, all 256 of a full one. */
export type ReadTile = (level: number, n: number, count: number) => Uint8Array;

/** Root over the hashes of a full tile: one hash of the level above. */
export function tileRoot(hashes: Uint8Array): Buffer {
  return perfectRoot(hashes, 0, TILE_HASHES);
}

/** RFC 6962 root over the first `size` leaves. */
export function rootFromTiles(read: ReadTile, size: number): Buffer {
  return size === 0 ? EMPTY_ROOT : rangeRoot(read, 0, size);
}

/** Roots of the perfect subtrees that make up the first `size` leaves, largest first: a compact range. */
export function rangeFromTiles(read: ReadTile, size: number): Buffer[] {
  const roots: Buffer[] = [];
  for (let low = 0; low < size;) {
    const width = 2 ** Math.floor(Math.log2(size - low));
    roots.push(rangeRoot(read, low, low + width));
    low += width;
  }
  return roots;
}

/**
 * Audit path of leaf `index` in the tree of `size` leaves (RFC 9162 section 2.1.3.1), from the leaf upwards.
 *
 * @throws proof_invalid where there is no such leaf
 */
export function inclusionFromTiles(read: ReadTile, index: number, size: number): Buffer[] {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw new AgentError('proof_invalid', `there is no leaf ${index} in a tree of ${size}`);
  }
  const path: Buffer[] = [];
  let [low, high] = [0, size];
  while (high - low > 1) {
    const middle = low + splitOf(high - low);
    if (index < middle) {
      path.push(rangeRoot(read, middle, high));
      high = middle;
    } else {
      path.push(rangeRoot(read, low, middle));
      low = middle;
    }
  }
  return path.toReversed();
}

/**
 * Proof that the tree of `size` leaves begins with that of `oldSize` (RFC 9162 section 2.1.4.1). Empty for 0 and for all.
 *
 * @throws proof_invalid where the old size is larger
 */
export function consistencyFromTiles(read: ReadTile, oldSize: number, size: number): Buffer[] {
  if (!Number.isSafeInteger(oldSize) || oldSize < 0 || oldSize > size) {
    throw new AgentError('proof_invalid', `a tree of ${size} leaves had no size ${oldSize}`);
  }
  if (oldSize === 0 || oldSize === size) return [];
  const path: Buffer[] = [];
  let [low, high] = [0, size];
  // Where the walk only ever went left, the verifier knows the old root itself: it is not repeated.
  while (oldSize !== high) {
    const middle = low + splitOf(high - low);
    if (oldSize <= middle) {
      path.push(rangeRoot(read, middle, high));
      high = middle;
    } else {
      path.push(rangeRoot(read, low, middle));
      low = middle;
    }
  }
  if (low !== 0) path.push(rangeRoot(read, low, high));
  return path.toReversed();
}

/** Root over the leaves low ≤ i < high, where `low` is a multiple of every power of two up to the range's length. */
function rangeRoot(read: ReadTile, low: number, high: number): Buffer {
  const length = high - low;
  if (length === 1) return nodeAt(read, 0, low);
  const split = splitOf(length);
  if (split * 2 === length) return nodeAt(read, Math.log2(length), low / length);
  return nodeHash(rangeRoot(read, low, low + split), rangeRoot(read, low + split, high));
}

/** Root of the perfect subtree `index` of the given height (0: a leaf hash). */
function nodeAt(read: ReadTile, height: number, index: number): Buffer {
  const level = Math.floor(height / TILE_HEIGHT);
  const width = 2 ** (height % TILE_HEIGHT);
  const n = Math.floor((index * width) / TILE_HASHES);
  const first = index * width - n * TILE_HASHES;
  const hashes = read(level, n, first + width);
  if (hashes.length < (first + width) * HASH_BYTES) {
    throw new AgentError('internal', 'a tile holds fewer hashes than were asked of it', { details: { level, n } });
  }
  return perfectRoot(hashes, first, width);
}

function perfectRoot(hashes: Uint8Array, first: number, width: number): Buffer {
  if (width === 1) return Buffer.from(hashes.subarray(first * HASH_BYTES, (first + 1) * HASH_BYTES));
  const half = width / 2;
  return nodeHash(perfectRoot(hashes, first, half), perfectRoot(hashes, first + half, half));
}
