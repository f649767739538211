// Entries that a bundle leaves out (docs/formats/bundle.md): in place of their lines stand roots of subtrees, so that every line
// that is there is still proven to be in the tree, and where. Pure.
import { CompactRange } from './merkle.ts';

/** The leaves of one perfect subtree, known by its root alone. */
export interface LeftOut {
  /** A power of two. */
  readonly leaves: number;
  readonly root: Buffer;
}

const ROW = /^\{"left_out":([1-9][0-9]{0,15}),"root":"([0-9a-f]{64})"\}$/;

export const encodeLeftOut = ({ leaves, root }: LeftOut): string =>
  `{"left_out":${leaves},"root":"${root.toString('hex')}"}`;

/** Null for what is no such row. */
export function parseLeftOut(line: string): LeftOut | null {
  const [, leaves, root] = ROW.exec(line) ?? [];
  return leaves === undefined || root === undefined ? null : { leaves: Number(leaves), root: Buffer.from(root, 'hex') };
}

/** Leaves of the largest subtree that begins at leaf `from` and does not reach beyond `to`. */
export function subtreeAt(from: number, to: number): number {
  let leaves = 1;
  while (from % (leaves * 2) === 0 && from + leaves * 2 <= to) leaves *= 2;
  return leaves;
}

export interface LeftOutRows {
  /** The next leaf that is left out; gives the row that it completes, if any. `stop`: no subtree reaches beyond it. */
  add(seq: number, leaf: Buffer, stop: () => number): LeftOut | null;
}

/** Turns leaves that are left out into rows, as few as can be. */
export function leftOutRows(): LeftOutRows {
  let open: { leaves: number; range: CompactRange } | null = null;
  return {
    add(seq, leaf, stop) {
      open ??= { leaves: subtreeAt(seq, stop()), range: CompactRange.from(0, []) };
      open.range.append(leaf);
      if (open.range.size < open.leaves) return null;
      const row = { leaves: open.leaves, root: open.range.root() };
      open = null;
      return row;
    },
  };
}
