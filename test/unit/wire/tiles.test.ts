import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../agent/wire/digest.ts';
import {
  consistencyProof,
  inclusionProof,
  rootOfLeaves,
  verifyConsistency,
  verifyInclusion,
} from '../../../agent/wire/merkle.ts';
import {
  consistencyFromTiles,
  inclusionFromTiles,
  rootFromTiles,
  TILE_HASHES,
  tileRoot,
  type ReadTile,
} from '../../../agent/wire/tiles.ts';
import { expectCode } from '../../support/expect-code.ts';

const MOST = 70_000;
const LEAVES = Array.from({ length: MOST }, (_, i) => sha256(`leaf ${i}`));

/** Tiles made by the definition: level by level, each hash the root of a full tile below. Counts what is read. */
function tilesOf(leaves: readonly Buffer[]): { read: ReadTile; reads: () => number } {
  const levels = [leaves];
  for (let below = leaves; below.length >= TILE_HASHES;) {
    const full = Math.floor(below.length / TILE_HASHES);
    const from = below;
    below = Array.from({ length: full }, (_, n) => rootOfLeaves(from.slice(n * TILE_HASHES, (n + 1) * TILE_HASHES)));
    levels.push(below);
  }
  let reads = 0;
  return {
    read: (level, n) => {
      reads += 1;
      return Buffer.concat((levels[level] ?? []).slice(n * TILE_HASHES, (n + 1) * TILE_HASHES));
    },
    reads: () => reads,
  };
}
const ALL = tilesOf(LEAVES);

describe('tiles', () => {
  it('give the roots and proofs of RFC 9162 for small trees and at the edges of tiles', () => {
    const sizes = [...Array.from({ length: 40 }, (_, i) => i), 255, 256, 257, 511, 512, 513, 599];
    for (const size of sizes) {
      const leaves = LEAVES.slice(0, size);
      expect(rootFromTiles(ALL.read, size)).toEqual(rootOfLeaves(leaves));
      for (const old of sizes.filter((s) => s <= size)) {
        expect(consistencyFromTiles(ALL.read, old, size)).toEqual(consistencyProof(leaves, old));
        if (old < size) expect(inclusionFromTiles(ALL.read, old, size)).toEqual(inclusionProof(leaves, old));
      }
    }
  });

  it('give proofs that verify between any two sizes up to three levels', () => {
    const two = fc.tuple(fc.integer({ min: 1, max: MOST }), fc.integer({ min: 1, max: MOST }));
    fc.assert(
      fc.property(two, ([a, b]) => {
        const [old, size] = [Math.min(a, b), Math.max(a, b)];
        const [oldRoot, root] = [rootFromTiles(ALL.read, old), rootFromTiles(ALL.read, size)];
        const consistency = consistencyFromTiles(ALL.read, old, size);
        expect(verifyConsistency(old, oldRoot, size, root, consistency)).toBe(true);
        const inclusion = inclusionFromTiles(ALL.read, old - 1, size);
        expect(verifyInclusion(LEAVES[old - 1]!, old - 1, size, inclusion, root)).toBe(true);
      }),
      { numRuns: 60 },
    );
    expect(rootFromTiles(ALL.read, MOST)).toEqual(rootOfLeaves(LEAVES));
  });

  it('are read a few dozen times for a proof, however large the tree is', () => {
    const { read, reads } = tilesOf(LEAVES);
    inclusionFromTiles(read, 4_711, MOST);
    consistencyFromTiles(read, 4_711, MOST);
    expect(reads()).toBeLessThan(80);
  });

  it('are summed up by one hash each', () => {
    expect(tileRoot(Buffer.concat(LEAVES.slice(0, TILE_HASHES)))).toEqual(rootOfLeaves(LEAVES.slice(0, TILE_HASHES)));
  });

  it.each([
    ['a leaf beyond the end', () => inclusionFromTiles(ALL.read, 10, 10)],
    ['a negative leaf', () => inclusionFromTiles(ALL.read, -1, 10)],
    ['half a leaf', () => inclusionFromTiles(ALL.read, 0.5, 10)],
    ['an old size beyond the new one', () => consistencyFromTiles(ALL.read, 11, 10)],
    ['a negative old size', () => consistencyFromTiles(ALL.read, -1, 10)],
  ])('refuse a proof for %s', (_, prove) => {
    expectCode(prove, 'proof_invalid');
  });

  it('say so when a tile is shorter than it must be', () => {
    expectCode(() => rootFromTiles(() => Buffer.alloc(32), 2), 'internal');
  });
});
