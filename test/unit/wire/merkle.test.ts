import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../agent/wire/digest.ts';
import {
  CompactRange,
  consistencyProof,
  EMPTY_ROOT,
  inclusionProof,
  leafHash,
  nodeHash,
  rootOfLeaves,
  verifyConsistency,
  verifyInclusion,
} from '../../../agent/wire/merkle.ts';
import { expectCode } from '../../support/expect-code.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

// Leaves, roots and proofs of the reference tests of Certificate Transparency (github.com/google/certificate-transparency,
// cpp/merkletree/merkle_tree_test.cc; the same stand in github.com/transparency-dev/merkle), Apache-2.0.
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  (leaf) => leafHash(hex(leaf)),
);
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
].map(hex);
const N = {
  '1': '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
  '23': '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
  '4': 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
  '45': '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
  '67': 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
  '4567': '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  '0123': 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '01': 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  '0': '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
} as const;

describe('the Merkle tree of RFC 6962', () => {
  it('has the published roots', () => {
    ROOTS.forEach((root, size) => expect(rootOfLeaves(LEAVES.slice(0, size)).equals(root), `size ${size}`).toBe(true));
    expect(EMPTY_ROOT.equals(ROOTS[0]!)).toBe(true);
  });

  it.each<[number, number, (keyof typeof N)[]]>([
    [0, 1, []],
    [0, 8, ['1', '23', '4567']],
    [5, 8, ['4', '67', '0123']],
    [2, 3, ['01']],
    [1, 5, ['0', '23', '4']],
  ])('has the published inclusion proof of leaf %i in %i', (index, size, path) => {
    const proof = inclusionProof(LEAVES.slice(0, size), index);
    expect(proof.map((h) => h.toString('hex'))).toEqual(path.map((name) => N[name]));
    expect(verifyInclusion(LEAVES[index]!, index, size, proof, ROOTS[size]!)).toBe(true);
  });

  it.each<[number, number, (keyof typeof N)[]]>([
    [1, 1, []],
    [1, 8, ['1', '23', '4567']],
    [6, 8, ['45', '67', '0123']],
    [2, 5, ['23', '4']],
  ])('has the published consistency proof from %i to %i', (oldSize, newSize, path) => {
    const proof = consistencyProof(LEAVES.slice(0, newSize), oldSize);
    expect(proof.map((h) => h.toString('hex'))).toEqual(path.map((name) => N[name]));
    expect(verifyConsistency(oldSize, ROOTS[oldSize]!, newSize, ROOTS[newSize]!, proof)).toBe(true);
  });

  it('hashes a line as its UTF-8 bytes behind a zero byte', () => {
    expect(leafHash('ü').equals(sha256(Buffer.concat([Buffer.of(0), Buffer.from('ü')])))).toBe(true);
    expect(nodeHash(ROOTS[0]!, ROOTS[1]!).equals(sha256(Buffer.concat([Buffer.of(1), ROOTS[0]!, ROOTS[1]!])))).toBe(
      true,
    );
  });

  it('never confuses a leaf with a node', () => {
    const [left, right] = [leafHash('a'), leafHash('b')];
    expect(leafHash(Buffer.concat([left, right])).equals(nodeHash(left, right))).toBe(false);
  });
});

/** The definition of RFC 6962 section 2.1, word for word, to compare with. */
function naiveRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256('');
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Buffer.concat([Buffer.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k))]));
}

const manyLeaves = Array.from({ length: 140 }, (_, i) => leafHash(`leaf ${i}`));
const sizeAndIndex = fc
  .integer({ min: 1, max: manyLeaves.length })
  .chain((size) => fc.record({ size: fc.constant(size), index: fc.nat(size - 1) }));

describe('a compact range', () => {
  it('has the root of the definition at every size', () => {
    const range = CompactRange.from(0, []);
    for (let size = 0; size <= manyLeaves.length; size++) {
      expect(range.size).toBe(size);
      expect(range.root().equals(naiveRoot(manyLeaves.slice(0, size))), `size ${size}`).toBe(true);
      if (size < manyLeaves.length) range.append(manyLeaves[size]!);
    }
  });

  it('goes on after it was saved and read back', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(39), (size, more) => {
        const first = CompactRange.from(0, []);
        manyLeaves.slice(0, size).forEach((leaf) => first.append(leaf));
        const second = CompactRange.from(first.size, first.hashes());
        manyLeaves.slice(size, size + more).forEach((leaf) => second.append(leaf));
        expect(second.root().equals(naiveRoot(manyLeaves.slice(0, size + more)))).toBe(true);
        expect(first.size).toBe(size);
      }),
    );
  });

  it('leaves its original alone when it was cloned', () => {
    const range = CompactRange.from(3, [nodeHash(LEAVES[0]!, LEAVES[1]!), LEAVES[2]!]);
    const copy = range.clone();
    copy.append(LEAVES[3]!);
    expect(range.root().equals(ROOTS[3]!)).toBe(true);
    expect(copy.root().equals(ROOTS[4]!)).toBe(true);
    copy.hashes().pop();
    expect(copy.root().equals(ROOTS[4]!)).toBe(true);
  });

  it('counts on beyond 2^32 leaves', () => {
    const range = CompactRange.from(
      2 ** 40 - 1,
      Array.from({ length: 40 }, () => LEAVES[0]!),
    );
    range.append(LEAVES[1]!);
    expect(range.size).toBe(2 ** 40);
    expect(range.hashes()).toHaveLength(1);
  });

  it.each<[string, number, Buffer[]]>([
    ['too few hashes', 3, [LEAVES[0]!]],
    ['too many hashes', 4, [LEAVES[0]!, LEAVES[1]!]],
    ['a short hash', 1, [Buffer.alloc(31)]],
    ['a negative size', -1, []],
    ['a broken size', 1.5, [LEAVES[0]!]],
  ])('is not made from %s', (_, size, hashes) => {
    expectCode(() => CompactRange.from(size, hashes), 'proof_invalid');
  });
});

describe('proofs', () => {
  it('of inclusion hold for every leaf of every tree up to 70', () => {
    for (let size = 1; size <= 70; size++) {
      const leaves = manyLeaves.slice(0, size);
      const root = naiveRoot(leaves);
      for (let index = 0; index < size; index++) {
        expect(verifyInclusion(leaves[index]!, index, size, inclusionProof(leaves, index), root)).toBe(true);
      }
    }
  });

  it('of consistency hold between all sizes up to 70', () => {
    const roots = Array.from({ length: 71 }, (_, size) => naiveRoot(manyLeaves.slice(0, size)));
    for (let size = 0; size <= 70; size++) {
      const leaves = manyLeaves.slice(0, size);
      for (let old = 0; old <= size; old++) {
        expect(verifyConsistency(old, roots[old]!, size, roots[size]!, consistencyProof(leaves, old))).toBe(true);
      }
    }
  });

  it('of inclusion are refused once anything in them is changed', () => {
    const change = fc.record({ at: fc.nat(), bit: fc.nat(7), byte: fc.nat(31), how: fc.nat(6) });
    fc.assert(
      fc.property(sizeAndIndex, change, ({ size, index }, c) => {
        const leaves = manyLeaves.slice(0, size);
        const root = naiveRoot(leaves);
        const proof = inclusionProof(leaves, index);
        const holds = (l: Buffer, i: number, n: number, p: Buffer[], r: Buffer): boolean =>
          verifyInclusion(l, i, n, p, r);
        const flip = (h: Buffer): Buffer => {
          const other = Buffer.from(h);
          other[c.byte]! ^= 1 << c.bit;
          return other;
        };
        const leaf = leaves[index]!;
        if (c.how === 0) expect(holds(flip(leaf), index, size, proof, root)).toBe(false);
        if (c.how === 1) expect(holds(leaf, index, size, proof, flip(root))).toBe(false);
        if (c.how === 2) expect(holds(leaf, index, size, [...proof, LEAVES[0]!], root)).toBe(false);
        if (c.how === 3) expect(holds(leaf, size, size, proof, root)).toBe(false);
        if (c.how === 4 && proof.length > 0) expect(holds(leaf, index, size, proof.slice(1), root)).toBe(false);
        if (c.how === 5 && proof.length > 0) expect(holds(leaf, index, size, proof.slice(0, -1), root)).toBe(false);
        if (c.how === 6 && proof.length > 0) {
          const at = c.at % proof.length;
          const changed = proof.map((h, i) => (i === at ? flip(h) : h));
          expect(holds(leaf, index, size, changed, root)).toBe(false);
        }
      }),
      { numRuns: 700 },
    );
  });

  it('of inclusion hold at no other index of the tree', () => {
    fc.assert(
      fc.property(sizeAndIndex, fc.nat(), ({ size, index }, n) => {
        const leaves = manyLeaves.slice(0, size);
        const other = n % size;
        if (other === index) return;
        const proof = inclusionProof(leaves, index);
        expect(verifyInclusion(leaves[index]!, other, size, proof, naiveRoot(leaves))).toBe(false);
      }),
    );
  });

  it('of consistency are refused once anything in them is changed', () => {
    const change = fc.record({ at: fc.nat(), bit: fc.nat(7), byte: fc.nat(31), how: fc.nat(5) });
    fc.assert(
      fc.property(sizeAndIndex, change, ({ size, index: old }, c) => {
        if (old === 0) return;
        const leaves = manyLeaves.slice(0, size);
        const [oldRoot, newRoot] = [naiveRoot(leaves.slice(0, old)), naiveRoot(leaves)];
        const proof = consistencyProof(leaves, old);
        const flip = (h: Buffer): Buffer => {
          const other = Buffer.from(h);
          other[c.byte]! ^= 1 << c.bit;
          return other;
        };
        const holds = (o: Buffer, n: Buffer, p: Buffer[]): boolean => verifyConsistency(old, o, size, n, p);
        if (c.how === 0) expect(holds(flip(oldRoot), newRoot, proof)).toBe(false);
        if (c.how === 1) expect(holds(oldRoot, flip(newRoot), proof)).toBe(false);
        if (c.how === 2) expect(holds(oldRoot, newRoot, [...proof, LEAVES[0]!])).toBe(false);
        if (c.how === 3) expect(holds(oldRoot, newRoot, proof.slice(1))).toBe(false);
        if (c.how === 4) expect(holds(oldRoot, newRoot, proof.slice(0, -1))).toBe(false);
        if (c.how === 5) {
          const at = c.at % proof.length;
          expect(
            holds(
              oldRoot,
              newRoot,
              proof.map((h, i) => (i === at ? flip(h) : h)),
            ),
          ).toBe(false);
        }
      }),
      { numRuns: 700 },
    );
  });

  it('of consistency do not make a shorter tree out of a longer one', () => {
    const root = naiveRoot(manyLeaves);
    expect(verifyConsistency(140, root, 139, naiveRoot(manyLeaves.slice(0, 139)), [])).toBe(false);
    expect(verifyConsistency(0, ROOTS[1]!, 140, root, [])).toBe(false);
    expect(verifyConsistency(0, EMPTY_ROOT, 140, root, [LEAVES[0]!])).toBe(false);
    expect(verifyConsistency(140, root, 140, naiveRoot(manyLeaves.slice(1)), [])).toBe(false);
    expect(verifyConsistency(1.5, root, 140, root, [])).toBe(false);
    expect(verifyInclusion(manyLeaves[0]!, -1, 140, [], root)).toBe(false);
    expect(verifyInclusion(Buffer.alloc(31), 0, 1, [], Buffer.alloc(31))).toBe(false);
  });

  it('are not made for leaves and sizes that the tree does not have', () => {
    expectCode(() => inclusionProof(LEAVES, 8), 'proof_invalid');
    expectCode(() => inclusionProof([], 0), 'proof_invalid');
    expectCode(() => consistencyProof(LEAVES, 9), 'proof_invalid');
    expectCode(() => consistencyProof(LEAVES, -1), 'proof_invalid');
  });
});
