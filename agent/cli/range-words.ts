// How far entries are vouched for, and by whom, in the same words in every view.
import type { AnchoredRange, Voucher } from '../verify/anchored-ranges.ts';

const VOUCHERS: Readonly<Record<Voucher, string>> = {
  witness: 'operator',
  timestamp: 'timestamp authority',
  anchor: 'your anchor',
};

/** Such as `witnessed≥2 (operator, timestamp authority)`. */
export function rangeWords({ range, by }: AnchoredRange): string {
  if (range === 'unanchored') return range;
  const sign = range === 'witnessed=1' ? range : 'witnessed≥2';
  return `${sign} (${by.map((one) => VOUCHERS[one]).join(', ')})`;
}
