// What Central Command says that it holds of our log, compared with what we hold. Pure.

export interface StoredJudgement {
  /** Where the upload goes on from; lower than before when Central Command was restored from a backup. */
  readonly pointer: number;
  /** Entries from ≤ seq < to that Central Command lacks and whose lines were pruned here; nothing can be uploaded before them. */
  readonly lacking: { readonly sentence: string; readonly from: number; readonly to: number } | null;
  /** Set when the two logs cannot be the same; details for an alert. */
  readonly diverged: { readonly sentence: string; readonly size: number; readonly ours: string | null } | null;
}

/**
 * `stored` never moves the pointer forwards over lines that are here: only a receipt does. Below what was pruned there is none
 * to be had any more, so there Central Command's word counts again once it holds all of that, with our root.
 *
 * @param own.pruned entries below it are here as hashes only
 * @param rootAt our root at a size up to ours; null where our tree is damaged
 */
export function judgeStored(
  stored: { readonly size: number; readonly root: string },
  own: { readonly size: number; readonly pointer: number; readonly pruned: number },
  rootAt: (size: number) => string | null,
): StoredJudgement {
  if (stored.size > own.size) {
    const sentence = `Central Command holds ${stored.size} entries of this log, which has only ${own.size}: it was set back to an older state.`;
    return { pointer: own.pointer, lacking: null, diverged: { sentence, size: stored.size, ours: null } };
  }
  const ours = rootAt(stored.size);
  const diverged =
    ours === null || ours === stored.root
      ? null
      : {
          sentence: `Central Command names another root than ours over the first ${stored.size} entries.`,
          size: stored.size,
          ours,
        };
  const { pruned } = own;
  const isBack = own.pointer < pruned && stored.size >= pruned && ours === stored.root;
  const pointer = isBack ? pruned : Math.min(own.pointer, stored.size);
  return { pointer, lacking: stored.size < pruned ? lackingBetween(stored.size, pruned) : null, diverged };
}

/** What is said where Central Command lost entries that are no longer here either. */
export function lackingBetween(from: number, to: number): { sentence: string; from: number; to: number } {
  const sentence = `Central Command lacks entries ${from} to ${to - 1}, which it had signed for and which were pruned here: they cannot be uploaded again, and later ones only after them.`;
  return { sentence, from, to };
}
