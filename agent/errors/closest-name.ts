// "Did you mean": the known name that a mistyped one is closest to.

/** Optimal string alignment distance: insert, delete, replace and swap of neighbours cost 1 each. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let best = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, (before[column - 2] ?? 0) + 1);
      }
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** Longest word that is compared; what is longer is no slip of the finger. */
const MAX_WORD_CHARS = 80;

const plain = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, '');

/**
 * The candidate closest to `word`, or null when none is close: at most a third of the longer word may differ. Case and
 * separators do not count, so `pollIntervalS` finds `poll_interval_s`. Of equally close ones the first is taken.
 */
export function closestName(word: string, candidates: readonly string[]): string | null {
  if (word.length > MAX_WORD_CHARS) return null;
  let best: { name: string; distance: number } | null = null;
  for (const name of candidates) {
    const distance = editDistance(plain(word), plain(name));
    if (distance * 3 > Math.max(plain(word).length, plain(name).length)) continue;
    if (best === null || distance < best.distance) best = { name, distance };
  }
  return best?.name ?? null;
}
