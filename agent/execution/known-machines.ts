// Which machine is which target: pinned when it first says who it is, and from then on nothing else is that target. Another machine
// is another target, with an id of its own; no order and no message replaces a pin.
import { AgentError } from '../errors/agent-error.ts';
import type { Store } from '../store/open-store.ts';
import type { Clock, Log } from '../system/ports.ts';
import type { TargetInfo } from '../targets/target.ts';
import { isMachineSid, type Said } from './machine-identity.ts';

type Who = Pick<TargetInfo, 'id' | 'identity'>;

export interface KnownMachines {
  /**
   * The machine that has to answer; null where none is known yet.
   *
   * @throws target_identity_differs where the list of targets names another machine than the pinned one, or none that there can be
   */
  expected(target: Who): string | null;
  /**
   * Judges what answered. The first machine is pinned.
   *
   * @throws target_identity_differs, target_identity_unknown
   */
  met(target: Who, answer: Said): void;
  /** Pinned, for people and for who judges an authorisation; null before first contact. */
  pinned(targetId: string): string | null;
  /** True while something else answers than the pinned machine. */
  isOther(targetId: string): boolean;
}

export function createKnownMachines(d: {
  readonly store: Pick<Store, 'targetIdentities' | 'unit'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly log: Log;
}): KnownMachines {
  const table = d.store.targetIdentities;
  const nowS = (): number => Math.floor(d.clock.wallMs() / 1_000);

  const expected = ({ id, identity }: Who): string | null => {
    const pinned = table.byTarget(id)?.machineSid ?? null;
    const named = identity?.machine_sid ?? null;
    if (named !== null && (!isMachineSid(named) || (pinned !== null && named !== pinned))) {
      throw new AgentError('target_identity_differs', 'the list of targets names another machine than the pinned one', {
        details: { target: id },
      });
    }
    return pinned ?? named;
  };
  const noteOther = (id: string, sid: string | null): void => {
    const row = table.byTarget(id);
    if (row === null || row.otherSid === sid) return;
    d.store.unit(() => table.noteOther(id, sid, nowS()));
    if (sid === null) d.log.info('the pinned machine answers again', { target: id });
    else d.log.warn('another machine answers for a target', { target: id, pinned: row.machineSid, answers: sid });
  };

  return {
    expected,
    met(target, answer) {
      const known = expected(target);
      if (answer.said !== 'sid') {
        if (known === null) return;
        throw new AgentError('target_identity_unknown', 'the machine did not say who it is', {
          details: { target: target.id },
        });
      }
      if (known !== null && known !== answer.sid) {
        noteOther(target.id, answer.sid);
        throw new AgentError('target_identity_differs', 'another machine answers for this target', {
          details: { target: target.id },
        });
      }
      if (table.byTarget(target.id) === null) {
        d.store.unit(() => table.pin(target.id, answer.sid, nowS()));
        d.log.info('target pinned to its machine', { target: target.id, machine_sid: answer.sid });
      }
      noteOther(target.id, null);
    },
    pinned: (targetId) => table.byTarget(targetId)?.machineSid ?? null,
    isOther: (targetId) => (table.byTarget(targetId)?.otherSid ?? null) !== null,
  };
}
