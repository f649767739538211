// What is expected to be observed: the appliance's own checks, and each listed runbook's check on each target that was last handed
// out. Targets are in memory for minutes; that they are expected is remembered.
import { REACH_CHECK } from '../execution/reach.ts';
import type { Store } from '../store/open-store.ts';
import type { Book } from '../execution/look-around.ts';
import type { EntryBody } from '../wire/schemas/entry.ts';
import { ALL_CHECKS, APPLIANCE_TARGET } from './run-checks.ts';

type Expected = EntryBody<'scope'>['expected'][number];

interface Settings {
  readonly settings: Pick<Store['settings'], 'get' | 'set'>;
}

const KEY = 'windows_targets';
/** One entry takes so many. */
const MAX_EXPECTED = 512;

export const expectedTargets = (store: Settings): string[] => JSON.parse(store.settings.get(KEY) ?? '[]') as string[];

/** Remembers the ids of a list that is not empty; an empty one may only mean that nothing was handed out for a while. */
export function rememberTargets(store: Settings, ids: readonly string[]): void {
  const text = JSON.stringify(ids.toSorted());
  if (ids.length > 0 && store.settings.get(KEY) !== text) store.settings.set(KEY, text);
}

/** Pure. `everyS`: the configured cadence of all checks, else each check's own. */
export function scopeOf(targetIds: readonly string[], books: readonly Book[], everyS: number | null): Expected[] {
  const own = ALL_CHECKS.map(({ id, version, cadenceS }): Expected => ({
    target: APPLIANCE_TARGET,
    check: id,
    check_version: version,
    cadence_s: everyS ?? cadenceS,
  }));
  if (targetIds.length === 0 || books.length === 0) return own;
  const { id, version, cadenceS } = REACH_CHECK;
  const reach = { target: APPLIANCE_TARGET, check: id, check_version: version, cadence_s: everyS ?? cadenceS };
  const windows = targetIds.flatMap((target) =>
    books.map(({ check }): Expected => ({
      target,
      check: check.id,
      check_version: check.version,
      cadence_s: everyS ?? check.cadenceS,
    })),
  );
  return [...own, reach, ...windows].slice(0, MAX_EXPECTED);
}
