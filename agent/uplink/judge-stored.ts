// What Central Command says that it holds of our log, compared with what we hold. Pure.

export interface StoredJudgement {
  /** Where the upload goes on from; lower than before when Central Command was restored from a backup. */
  readonly pointer: number;
  /** Set when the two logs cannot be the same; details for an alert. */
  readonly diverged: { readonly sentence: string; readonly size: number; readonly ours: string | null } | null;
}

/**
 * `stored` never moves the pointer forwards: only a receipt does.
 *
 * @param rootAt our root at a size as far as it is known cheaply, else null
 */
export function judgeStored(
  stored: { readonly size: number; readonly root: string },
  own: { readonly size: number; readonly pointer: number },
  rootAt: (size: number) => string | null,
): StoredJudgement {
  if (stored.size > own.size) {
    const sentence = `Central Command holds ${stored.size} entries of this log, which has only ${own.size}: it was set back to an older state.`;
    return { pointer: own.pointer, diverged: { sentence, size: stored.size, ours: null } };
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
  return { pointer: Math.min(own.pointer, stored.size), diverged };
}
