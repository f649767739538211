// What a check-in and `status` say of each target, by one word.
import { isAgentError } from '../errors/agent-error.ts';
import { createKnownMachines, type KnownMachines } from '../execution/known-machines.ts';
import type { LockoutGuard } from '../targets/lockout-guard.ts';
import type { TargetStanding } from '../system/status-file.ts';
import type { OwnTargetTable } from '../targets/target-table.ts';
import type { Health } from '../wire/schemas/checkin.ts';
import type { DaemonContext } from './context.ts';

/** What the words rest on. */
export interface TargetKnowledge {
  readonly guard: Pick<LockoutGuard, 'look'>;
  readonly machines: Pick<KnownMachines, 'isOther'>;
}

export const knowledgeOf = (context: Pick<DaemonContext, 'lockout' | 'store' | 'clock' | 'log'>): TargetKnowledge => ({
  guard: context.lockout,
  machines: createKnownMachines(context),
});

/**
 * `ready`; `outside_networks`: site policy does not let the agent reach it; `credential_stopped`, `credential_waiting`: the
 * lock-out guard; `unknown`: the guard's memory cannot be read; `other_machine`: another one answers than the pinned one. Nothing
 * else of a target: no address, no account.
 */
export function targetStates(table: OwnTargetTable, { guard, machines }: TargetKnowledge): TargetStanding[] {
  return table.states().map(({ info, state }) => {
    if (state !== 'ready') return { id: info.id, state, cause: null };
    try {
      const verdict = guard.look(info);
      if (verdict.may === 'try') {
        const isOther = machines.isOther(info.id);
        return isOther
          ? { id: info.id, state: 'other_machine', cause: 'target_identity_differs' }
          : { id: info.id, state: 'ready', cause: null };
      }
      return { id: info.id, state: verdict.code, cause: verdict.may === 'not' ? verdict.cause : null };
    } catch (error) {
      if (!isAgentError(error)) throw error;
      return { id: info.id, state: 'unknown', cause: error.code };
    }
  });
}

/** As a check-in says it: without the cause, which Central Command hears of by an alert. */
export const targetHealth = (table: OwnTargetTable, known: TargetKnowledge): Health['targets'] =>
  targetStates(table, known).map(({ id, state }) => ({ id, state }));

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
