// The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1): leaves are evidence lines without their LF.
import { hash } from 'node:crypto';
import { AgentError } from '../errors/agent-error.ts';
import { sha256 } from './digest.ts';

export const HASH_BYTES = 32;
/** Root of the tree without leaves: SHA-256 of nothing. */
export const EMPTY_ROOT: Buffer = sha256('');

const LEAF_PREFIX = '\0';
const NODE_PREFIX = 1;
/** 0x01 ‖ left ‖ right, written anew for each node: one hash is made at a time. */
const node = Buffer.alloc(1 + 2 * HASH_BYTES, NODE_PREFIX);

/** SHA-256(0x00 ‖ line); `line` without its LF. */
export function leafHash(line: string | Uint8Array): Buffer {
  if (typeof line === 'string') return hash('sha256', LEAF_PREFIX + line, 'buffer');
  return hash('sha256', Buffer.concat([Buffer.from(LEAF_PREFIX), line]), 'buffer');
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) {
    throw new AgentError('proof_invalid', 'a node of the tree is not made of two hashes');
  }
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return hash('sha256', node, 'buffer');
}

/**
 * What a growing log has to remember of its leaves: the roots of the perfect subtrees that make it up, the largest
 * (leftmost) first, one per 1 bit of the size. Appends and gives the root in O(log n).
 */
export class CompactRange {
  #size: number;
  readonly #hashes: Buffer[];

  private constructor(size: number, hashes: Buffer[]) {
    this.#size = size;
    this.#hashes = hashes;
  }

  /** @throws proof_invalid where the number of hashes does not fit the size, or one is not 32 bytes long */
  static from(size: number, hashes: readonly Buffer[]): CompactRange {
    const fits = Number.isSafeInteger(size) && size >= 0 && hashes.length === ones(size);
    if (!fits || hashes.some((h) => h.length !== HASH_BYTES)) {
      throw new AgentError('proof_invalid', `${hashes.length} hashes do not make up a tree of ${size} leaves`);
    }
    return new CompactRange(size, [...hashes]);
  }

  get size(): number {
    return this.#size;
  }

  append(leaf: Buffer): void {
    this.appendSubtree(1, leaf);
  }

  /**
   * Appends `leaves` leaves of which only the root of their subtree is known.
   *
   * @throws proof_invalid where they would not be a subtree of their own: not a power of two, or not at a multiple of it
   */
  appendSubtree(leaves: number, root: Buffer): void {
    if (!Number.isSafeInteger(this.#size + leaves) || ones(leaves) !== 1 || this.#size % leaves !== 0) {
      throw new AgentError('proof_invalid', `${leaves} leaves at ${this.#size} are no subtree of their own`);
    }
    let hash = root;
    for (let n = this.#size / leaves; n % 2 === 1; n = (n - 1) / 2) hash = nodeHash(this.#hashes.pop()!, hash);
    this.#hashes.push(hash);
    this.#size += leaves;
  }

  root(): Buffer {
    return this.#hashes.length === 0 ? EMPTY_ROOT : this.#hashes.reduceRight((right, left) => nodeHash(left, right));
  }

  hashes(): Buffer[] {
    return [...this.#hashes];
  }

  clone(): CompactRange {
    return new CompactRange(this.#size, [...this.#hashes]);
  }
}

/** Root over leaf hashes. */
export function rootOfLeaves(leaves: readonly Buffer[]): Buffer {
  const range = CompactRange.from(0, []);
  for (const leaf of leaves) range.append(leaf);
  return range.root();
}

/** Audit path of leaf `index` in the tree over all of `leaves` (RFC 9162 section 2.1.3.1), from the leaf upwards. */
export function inclusionProof(leaves: readonly Buffer[], index: number): Buffer[] {
  if (!Number.isSafeInteger(index) || index < 0 || index >= leaves.length) {
    throw new AgentError('proof_invalid', `there is no leaf ${index} in a tree of ${leaves.length}`);
  }
  if (leaves.length === 1) return [];
  const k = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)];
  return index < k
    ? [...inclusionProof(left, index), rootOfLeaves(right)]
    : [...inclusionProof(right, index - k), rootOfLeaves(left)];
}

/** Proof that the first `oldSize` leaves are the tree of that size (RFC 9162 section 2.1.4.1). Empty for 0 and for all. */
export function consistencyProof(leaves: readonly Buffer[], oldSize: number): Buffer[] {
  if (!Number.isSafeInteger(oldSize) || oldSize < 0 || oldSize > leaves.length) {
    throw new AgentError('proof_invalid', `a tree of ${leaves.length} leaves had no size ${oldSize}`);
  }
  return oldSize === 0 || oldSize === leaves.length ? [] : subProof(leaves, oldSize, true);
}

function subProof(leaves: readonly Buffer[], oldSize: number, complete: boolean): Buffer[] {
  if (oldSize === leaves.length) return complete ? [] : [rootOfLeaves(leaves)];
  const k = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)];
  return oldSize <= k
    ? [...subProof(left, oldSize, complete), rootOfLeaves(right)]
    : [...subProof(right, oldSize - k, false), rootOfLeaves(left)];
}

/** True where `proof` leads from `leaf` at `index` to `root` of a tree of `size` leaves (RFC 9162 section 2.1.3.2). */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isSize(index) || !isSize(size) || index >= size || !allHashes([leaf, root, ...proof])) return false;
  let fn = index;
  let sn = size - 1;
  let hash: Uint8Array = leaf;
  for (const part of proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(part, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      hash = nodeHash(hash, part);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && Buffer.compare(hash, root) === 0;
}

/** True where `proof` shows that the tree (`newSize`, `newRoot`) starts with the tree (`oldSize`, `oldRoot`) (RFC 9162 section 2.1.4.2). */
export function verifyConsistency(
  oldSize: number,
  oldRoot: Uint8Array,
  newSize: number,
  newRoot: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!isSize(oldSize) || !isSize(newSize) || oldSize > newSize || !allHashes([oldRoot, newRoot, ...proof]))
    return false;
  if (oldSize === newSize) return proof.length === 0 && Buffer.compare(oldRoot, newRoot) === 0;
  if (oldSize === 0) return proof.length === 0 && Buffer.compare(oldRoot, EMPTY_ROOT) === 0;
  // A perfect old tree is itself the first node of the path.
  const path = ones(oldSize) === 1 ? [oldRoot, ...proof] : proof;
  const first = path[0];
  if (first === undefined) return false;
  let fn = oldSize - 1;
  let sn = newSize - 1;
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  let oldHash = first;
  let newHash = first;
  for (const part of path.slice(1)) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      oldHash = nodeHash(part, oldHash);
      newHash = nodeHash(part, newHash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      newHash = nodeHash(newHash, part);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && Buffer.compare(oldHash, oldRoot) === 0 && Buffer.compare(newHash, newRoot) === 0;
}

/** The largest power of two below `n` (n ≥ 2): where RFC 9162 splits a tree of `n` leaves. */
export function splitOf(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** Number of 1 bits. Sizes go up to 2^53, beyond JavaScript's bit operators. */
function ones(n: number): number {
  let count = 0;
  for (let rest = n; rest > 0; rest = half(rest)) count += rest % 2;
  return count;
}

function half(n: number): number {
  return Math.floor(n / 2);
}

function isSize(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}

function allHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.every((h) => h.length === HASH_BYTES);
}
