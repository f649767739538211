// Holds the tree of a log (tiles, compact range, roots and proofs) against one that is computed anew from its lines.
import { expect } from 'vitest';
import { logTree } from '../../agent/evidence/log-tree.ts';
import type { Store } from '../../agent/store/open-store.ts';
import { leafHash, rootOfLeaves, verifyConsistency, verifyInclusion } from '../../agent/wire/merkle.ts';
import { TILE_HASHES } from '../../agent/wire/tiles.ts';
import { linesOf } from './evidence-fixtures.ts';

/** Of the first epoch, in a store that a log was opened in: no tile is missing then. */
export function expectWholeTree({ store }: { readonly store: Store }): void {
  const leaves = linesOf(store).map((line) => leafHash(line));
  const tree = logTree(store, 1);
  const size = leaves.length;
  const root = Buffer.from(tree.rootAt(), 'hex');
  expect(root).toEqual(rootOfLeaves(leaves));
  const full = Math.floor(size / TILE_HASHES);
  expect(store.tiles.count(1, 0)).toBe(full);
  expect(store.tiles.count(1, 1)).toBe(Math.ceil(full / TILE_HASHES));
  for (const old of [1, 255, 256, 257, full * TILE_HASHES, size - 1, size].filter((n) => n > 0 && n <= size)) {
    const oldRoot = Buffer.from(tree.rootAt(old), 'hex');
    expect(oldRoot).toEqual(rootOfLeaves(leaves.slice(0, old)));
    expect(verifyConsistency(old, oldRoot, size, root, tree.consistencyProof(old, size))).toBe(true);
    expect(verifyInclusion(leaves[old - 1]!, old - 1, size, tree.inclusionProof(old - 1, size), root)).toBe(true);
  }
}
