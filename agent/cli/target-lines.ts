// What `status` says of targets: how many are in each state, and those that are not looked at, with the reason.
import { CODES } from '../errors/codes.ts';
import type { TargetStanding } from '../system/status-file.ts';

const REASON: Readonly<Record<TargetStanding['state'], string>> = {
  ready: '',
  outside_networks: 'target_networks of the site policy do not name its address and port',
  credential_stopped: 'its credential was proven wrong and waits for a new secret or a signed retry',
  credential_waiting: 'its credential is tried on another target first, or it waits after a failure of another cause',
  other_machine: 'the machine that answers there is not the one that this target is pinned to',
  unknown: 'what is known of stopped credentials cannot be read',
};

/** For example `25: 23 ready, 2 credential_stopped`; null without targets. Pure. */
export function targetCounts(targets: readonly TargetStanding[]): string | null {
  if (targets.length === 0) return null;
  const counts = new Map<string, number>();
  for (const { state } of targets) counts.set(state, (counts.get(state) ?? 0) + 1);
  const said = [...counts].toSorted(([a], [b]) => Number(b === 'ready') - Number(a === 'ready') || (a < b ? -1 : 1));
  return `${targets.length}: ${said.map(([state, count]) => `${count} ${state}`).join(', ')}`;
}

/** A row of id, state and reason for each target that is not ready. Pure. */
export function targetRows(targets: readonly TargetStanding[]): string[][] {
  return targets.flatMap(({ id, state, cause }) => {
    if (state === 'ready') return [];
    // A status file of another version may know other words.
    const known = cause !== null && Object.hasOwn(CODES, cause) ? CODES[cause as keyof typeof CODES].when : null;
    const why = cause === null ? '' : ` (${cause}${known === null ? '' : `: ${known}`})`;
    return [[id, state, `${REASON[state] ?? state}${why}`]];
  });
}
