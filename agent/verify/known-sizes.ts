// Sizes of a log at which somebody else has signed its root.
import type { Opened } from '../trust/open-document.ts';

export interface KnownSize {
  readonly origin: string;
  readonly size: number;
  /** Hex root over that many entries. */
  readonly root: string;
  /** Who says so, for the sentence. */
  readonly source: string;
}

export interface KnownSizes {
  readonly total: number;
  at(size: number): readonly KnownSize[];
  /** One that speaks of another log than `origin`, if any. */
  ofOtherLog(origin: string): KnownSize | undefined;
  /** The largest one beyond `size`, if any. */
  beyond(size: number): KnownSize | undefined;
}

export function knownSizes(receipts: readonly Opened<'receipt'>[]): KnownSizes {
  const bySize = new Map<number, KnownSize[]>();
  let largest: KnownSize | undefined;
  for (const { value } of receipts) {
    const known = {
      origin: value.origin,
      size: value.size,
      root: value.root,
      source: `the receipt ${value.object_id}`,
    };
    bySize.set(known.size, [...(bySize.get(known.size) ?? []), known]);
    if (largest === undefined || known.size > largest.size) largest = known;
  }
  return {
    total: receipts.length,
    at: (size) => bySize.get(size) ?? [],
    ofOtherLog: (origin) => [...bySize.values()].flat().find((known) => known.origin !== origin),
    beyond: (size) => (largest !== undefined && largest.size > size ? largest : undefined),
  };
}
