// What healing remembers beside its incidents: the breakers, and on what grounds it judged last. In the store's settings.
import type { Store } from '../store/open-store.ts';
import { afterNeed, SITE_BREAKER_CLOSED, type SiteBreaker } from '../guards/site-breaker.ts';

type Memory = Pick<Store, 'settings'>;

const BREAKERS = 'healing.site_breakers';
const BLOCKED = 'healing.blocked_runbooks';
/** The newest epoch whose pauses, breakers and counts are known to be here. */
const MEMORY_OF = 'healing.memory_of_epoch';
const GROUNDS = 'healing.grounds';

const load = <T>(store: Memory, key: string, empty: T): T => {
  const text = store.settings.get(key);
  return text === null ? empty : (JSON.parse(text) as T);
};

/** By id of the runbook. */
export const siteBreakers = (store: Memory): ReadonlyMap<string, SiteBreaker> =>
  new Map(Object.entries(load<Record<string, SiteBreaker>>(store, BREAKERS, {})));

/** A target needs a runbook at `at` (signed time). */
export function noteNeed(store: Memory, runbookId: string, targetId: string, at: number): void {
  const all = new Map(siteBreakers(store));
  all.set(runbookId, afterNeed(all.get(runbookId) ?? SITE_BREAKER_CLOSED, targetId, at));
  store.settings.set(BREAKERS, JSON.stringify(Object.fromEntries(all)));
}

/** Runbooks whose rollback failed somewhere. */
export const blockedRunbooks = (store: Memory): ReadonlySet<string> => new Set(load<string[]>(store, BLOCKED, []));

export function blockRunbook(store: Memory, runbookId: string): void {
  store.settings.set(BLOCKED, JSON.stringify([...new Set([...blockedRunbooks(store), runbookId])]));
}

/** False in an epoch that the appliance or a registrar began, until {@link vouchForMemory}: what went before is not in this database. */
export const isMemoryWhole = ({ settings }: Memory, epoch: number): boolean =>
  epoch === 1 || settings.get(MEMORY_OF) === String(epoch);

/** Two persons said that healing goes on in this epoch, or they ordered it of one whose memory was whole. */
export const vouchForMemory = ({ settings }: Memory, epoch: number): void => settings.set(MEMORY_OF, String(epoch));

/** Two persons said that one runbook may be run again. False where nothing stopped it. */
export function closeBreaker(store: Memory, runbookId: string): boolean {
  const site = new Map(siteBreakers(store));
  const blocked = blockedRunbooks(store);
  const wasOpen = (site.get(runbookId)?.openedAt ?? null) !== null || blocked.has(runbookId);
  site.delete(runbookId);
  store.settings.set(BREAKERS, JSON.stringify(Object.fromEntries(site)));
  store.settings.set(BLOCKED, JSON.stringify([...blocked].filter((id) => id !== runbookId)));
  return wasOpen;
}

/** Two persons said that healing goes on. Returns how many breakers were open. */
export function closeBreakers(store: Memory): number {
  const open = [...siteBreakers(store).values()].filter(({ openedAt }) => openedAt !== null).length;
  const blocked = blockedRunbooks(store).size;
  store.settings.delete(BREAKERS);
  store.settings.delete(BLOCKED);
  return open + blocked;
}

/**
 * Calls `act` where `grounds` (what policy and content list are in force) are others than last time. They are remembered in one unit
 * with what it does: what is cut off is done again.
 */
export function atNewGrounds(store: Memory & Pick<Store, 'unit'>, grounds: string, act: () => void): void {
  store.unit(() => {
    if (store.settings.get(GROUNDS) === grounds) return;
    store.settings.set(GROUNDS, grounds);
    act();
  });
}
