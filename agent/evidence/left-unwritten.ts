// What was not written: counted while it lasts, and signed as a `gap` entry as soon as there is room.
import type { Store } from '../store/open-store.ts';
import type { EntryBody } from '../wire/schemas/entry.ts';

export type GapReason = 'disk_low' | 'evidence_cap' | 'store_full' | 'store_read_only' | 'store_io';

/** Unix seconds; `dropped` counts by kind. `observation`: a run of a check whose result could not be recorded. */
export interface Unwritten {
  readonly reason: GapReason;
  readonly from: number;
  readonly to: number;
  readonly dropped: Readonly<Record<string, number>>;
}

const SENTENCES: Readonly<Record<GapReason, { readonly sentence: string }>> = {
  disk_low: {
    sentence: 'Too little of the disk was free: digests were left out, and heartbeats came less often.',
  },
  evidence_cap: {
    sentence: 'The evidence had nearly reached its limit: digests were left out, and heartbeats came less often.',
  },
  store_full: { sentence: 'The disk was full: what was observed could not be recorded.' },
  store_read_only: { sentence: 'The store could not be written: what was observed could not be recorded.' },
  store_io: { sentence: 'The disk refused to write: what was observed could not be recorded.' },
};

/** One more of what was not written; times are the span of all of it. */
export function added(
  before: Unwritten | null,
  reason: GapReason,
  now: number,
  counts: Readonly<Record<string, number>>,
): Unwritten {
  const dropped: Record<string, number> = { ...before?.dropped };
  for (const [kind, count] of Object.entries(counts)) if (count > 0) dropped[kind] = (dropped[kind] ?? 0) + count;
  const from = Math.min(before?.from ?? now, now);
  return { reason: before?.reason ?? reason, from, to: Math.max(before?.to ?? now, now), dropped };
}

/** Null where nothing was dropped: room that got short for a while is no gap. */
export function gapOf({ reason, from, to, dropped }: Unwritten): EntryBody<'gap'> | null {
  if (Object.keys(dropped).length === 0) return null;
  return { reason, ...SENTENCES[reason], gap_from: from, gap_to: to, dropped: { ...dropped } };
}

const KEY = 'evidence.unwritten';

/** Kept in the store, so that a restart does not forget it. */
export const unwrittenIn = ({ settings }: Pick<Store, 'settings'>) => ({
  load: (): Unwritten | null => {
    const text = settings.get(KEY);
    return text === null ? null : (JSON.parse(text) as Unwritten);
  },
  save: (value: Unwritten | null): void => {
    if (value === null) settings.delete(KEY);
    else settings.set(KEY, JSON.stringify(value));
  },
});
