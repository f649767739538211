// What a check-in says of each target, by one word.
import { isAgentError } from '../errors/agent-error.ts';
import type { LockoutGuard } from '../targets/lockout-guard.ts';
import type { OwnTargetTable } from '../targets/target-table.ts';
import type { Health } from '../wire/schemas/checkin.ts';

/**
 * `ready`; `outside_networks`: site policy does not let the agent reach it; `credential_stopped`, `credential_waiting`: the
 * lock-out guard; `unknown`: the guard's memory cannot be read.
 */
export function targetHealth(table: OwnTargetTable, guard: Pick<LockoutGuard, 'look'>): Health['targets'] {
  return table.states().map(({ info, state }) => {
    if (state !== 'ready') return { id: info.id, state };
    try {
      const verdict = guard.look(info);
      return { id: info.id, state: verdict.may === 'try' ? 'ready' : verdict.code };
    } catch (error) {
      if (!isAgentError(error)) throw error;
      return { id: info.id, state: 'unknown' };
    }
  });
}

/** Why a credential is stopped, the first one where there are several; null where none is. */
export function whyStopped(guard: Pick<LockoutGuard, 'stopped'>): { readonly code: string } | null {
  try {
    const [first] = guard.stopped();
    return first === undefined ? null : { code: first.cause };
  } catch (error) {
    // That its memory cannot be read must not keep answers from counting; nothing is tried then.
    if (!isAgentError(error)) throw error;
    return { code: error.code };
  }
}
