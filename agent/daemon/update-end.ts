// What root's units that switch the system left about one update: the switch itself, or the way back that a timer took.
import { SWITCH_VERBS } from '../helpers/verbs.ts';
import { helperResult, type HelperFolders } from './helper-folders.ts';

export interface UpdateEnd {
  readonly update: 'done' | 'reverted' | 'failed';
  readonly code?: string;
  /** Why it went back, as root's switch names it. */
  readonly why?: string;
  /** Whether Central Command answered the new version before it was kept. */
  readonly central?: 'answered' | 'silent';
  /** Wall clock, Unix seconds, when the unit was started. */
  readonly at: number;
}

/** The newest word about the update of this name, or about any; null while there is none. */
export function updateEnd(folders: HelperFolders, run: string | null, rootUid = 0): UpdateEnd | null {
  const results = SWITCH_VERBS.flatMap((verb) => helperResult(folders, verb, rootUid) ?? []).filter(
    ({ details }) => (run === null || details['run'] === run) && details['update'] !== undefined,
  );
  const [newest] = results.toSorted((a, b) => b.at - a.at);
  if (newest === undefined) return null;
  const { update, why, central } = newest.details;
  return {
    at: newest.at,
    update: update === 'done' || update === 'reverted' ? update : 'failed',
    ...(newest.code === undefined ? {} : { code: newest.code }),
    ...(typeof why === 'string' ? { why } : {}),
    ...(central === 'answered' || central === 'silent' ? { central } : {}),
  };
}
