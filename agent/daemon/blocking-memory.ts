// The last blocking reason, with when it began and ended: what a technician asks first when all is well again. Pure.
import type { LastBlocking } from '../system/status-file.ts';
import type { Blocked } from './agent-state.ts';

/** What is remembered when `blocked` is the reason at `now` (Unix seconds), or null when there is none. */
export function rememberBlocking(
  before: LastBlocking | null,
  blocked: Blocked | null,
  now: number,
): LastBlocking | null {
  if (blocked === null) return before === null || before.until !== null ? before : { ...before, until: now };
  const { code, sentence, remedy } = blocked;
  const goesOn = before !== null && before.until === null && before.code === code;
  return { code, sentence, remedy, since: goesOn ? before.since : now, until: null };
}

/** True where the difference is worth a write: another reason, its begin or its end; not another wording of the same. */
export function isNewBlocking(before: LastBlocking | null, after: LastBlocking | null): boolean {
  return before?.code !== after?.code || before?.since !== after?.since || before?.until !== after?.until;
}
