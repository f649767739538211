// When each authorisation was first seen. Where one person alone may authorise, the delay counts from there: `issued_at` is
// that person's own word.
import type { Store } from '../store/open-store.ts';

const KEY = 'authorisations_seen';
/** An authorisation is valid for at most 7 days; a day more, and its date refuses it whatever is remembered here. */
const KEPT_S = 8 * 86_400;
/** Only what enough operators signed gets here; beyond this the oldest goes, and its delay would begin anew. */
const MAX_KEPT = 256;

type Seen = readonly [digest: string, at: number];

/** T (Unix seconds) by the authorisation's payload digest. */
export function authorisationsSeen(store: Store): ReadonlyMap<string, number> {
  return new Map(read(store));
}

/** Keeps the first sight: a later one changes nothing. */
export function noteAuthorisation(store: Store, digest: string, nowT: number): void {
  const seen = read(store);
  if (seen.some(([known]) => known === digest)) return;
  const kept = seen.filter(([, at]) => nowT - at < KEPT_S).slice(1 - MAX_KEPT);
  store.settings.set(KEY, JSON.stringify([...kept, [digest, nowT]]));
}

const read = (store: Store): Seen[] => JSON.parse(store.settings.get(KEY) ?? '[]') as Seen[];
