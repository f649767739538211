// Which entries somebody else vouches for, and how many do. Pure.

/** Whoever can vouch for the size and root of a log; each is an operator of its own. */
export type Voucher = 'witness' | 'timestamp' | 'anchor';

/** Entries from_seq ≤ seq < to_seq. */
export interface AnchoredRange {
  readonly from_seq: number;
  readonly to_seq: number;
  /**
   * `witnessed=1`: one operator vouches for them: the witness of Central Command, a timestamp authority, or what the auditor
   * brought. `witnessed>=2`: two or more do. `unanchored`: only the appliance's own word.
   */
  readonly range: 'witnessed>=2' | 'witnessed=1' | 'unanchored';
  /** Who they are. */
  readonly by: readonly Voucher[];
}

const ORDER: readonly Voucher[] = ['witness', 'timestamp', 'anchor'];

/** @param vouched per operator the largest size that it vouches for, and that the log was found to fulfil; 0 without one */
export function anchoredRanges(size: number, vouched: Readonly<Partial<Record<Voucher, number>>>): AnchoredRange[] {
  const sizeOf = (one: Voucher): number => Math.min(vouched[one] ?? 0, size);
  const ranges: AnchoredRange[] = [];
  let from = 0;
  for (const to of [...new Set([...ORDER.map(sizeOf), size])].toSorted((a, b) => a - b)) {
    if (to <= from) continue;
    const by = ORDER.filter((one) => sizeOf(one) >= to);
    const range = by.length === 0 ? 'unanchored' : by.length === 1 ? 'witnessed=1' : 'witnessed>=2';
    ranges.push({ from_seq: from, to_seq: to, range, by });
    from = to;
  }
  return ranges;
}
