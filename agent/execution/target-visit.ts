// One stay at a target: several looks over one session, under the target's lock, with one copy of its credentials. Whoever waits
// for the target gets in between two looks.
import { unseen } from '../checks/windows/windows-check.ts';
import type { TargetLease } from '../targets/target.ts';
import { lookAt } from './phase.ts';
import type { ExecutorDeps, WindowsLoaded } from './run-request.ts';
import { toLook } from './run-steps.ts';
import { defaultParams } from './runbook.ts';
import type { TargetSession } from './runner.ts';
import type { Look } from './windows-finding.ts';

/** `reason`: why nothing was seen. */
export type ReasonedLook = Look & { readonly reason: string | null };

const NOTHING_USED = { cpuMs: null, bytes: 0 } as const;

export const notSeen = (reason: Parameters<typeof unseen>[0], sentence: string): ReasonedLook => ({
  seen: false,
  judgement: unseen(reason, sentence),
  used: NOTHING_USED,
  reason,
});

interface Stay {
  readonly lease: TargetLease;
  readonly session: TargetSession;
  readonly release: () => void;
}

export class TargetVisit {
  readonly #targetId: string;
  readonly #deps: ExecutorDeps;
  readonly #signal: AbortSignal;
  #stay: Stay | null = null;

  constructor(targetId: string, deps: ExecutorDeps, signal: AbortSignal) {
    this.#targetId = targetId;
    this.#deps = deps;
    this.#signal = signal;
  }

  /** detect of that runbook. Rejects with the signal's reason and with defects. */
  async look(loaded: WindowsLoaded): Promise<ReasonedLook> {
    if (this.#deps.circumstances(loaded).listedClass === null) {
      return notSeen('not_listed', 'the content list in force does not name this runbook with this digest');
    }
    const stay = await this.#arrived();
    if (stay === null) return notSeen('unauthorised', 'there are no credentials for this target now');
    const params = defaultParams(loaded.runbook);
    const reading = await lookAt('detect', { loaded, params, snapshot: null }, stay.session, this.#signal);
    return { ...toLook(reading), reason: reading.read ? null : reading.reason };
  }

  /** Ends the session and gives up what is held; never rejects. */
  async leave(): Promise<void> {
    const stay = this.#stay;
    this.#stay = null;
    if (stay === null) return;
    try {
      await stay.session.close();
    } finally {
      stay.release();
      stay.lease.release();
    }
  }

  /** Null where the target is not, or no longer, among those in force. */
  async #arrived(): Promise<Stay | null> {
    const { targets, locks, runner } = this.#deps;
    const lease = targets.lease(this.#targetId);
    if (lease === null || this.#mustMakeRoom()) await this.leave();
    if (lease === null || this.#stay !== null) {
      lease?.release();
      return this.#stay;
    }
    try {
      const release = await locks.hold(this.#targetId, this.#signal);
      return (this.#stay = { lease, release, session: runner.open(lease.target) });
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  #mustMakeRoom(): boolean {
    return this.#stay !== null && this.#deps.locks.isAwaited(this.#targetId);
  }
}
