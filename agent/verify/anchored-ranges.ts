// Which entries somebody else vouches for. Pure.

/** Entries from_seq ≤ seq < to_seq. */
export interface AnchoredRange {
  readonly from_seq: number;
  readonly to_seq: number;
  /** `witnessed=1`: the operator's witness cosigned a checkpoint over them. `unanchored`: only the appliance's own word. */
  readonly range: 'witnessed=1' | 'unanchored';
}

/** @param witnessed size of the largest checkpoint that the witness cosigned; 0 without one */
export function anchoredRanges(size: number, witnessed: number): AnchoredRange[] {
  const ranges: AnchoredRange[] = [];
  if (witnessed > 0) ranges.push({ from_seq: 0, to_seq: witnessed, range: 'witnessed=1' });
  if (size > witnessed) ranges.push({ from_seq: witnessed, to_seq: size, range: 'unanchored' });
  return ranges;
}
