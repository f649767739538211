// The lock-out guard with its memory: each verdict is taken on what is on the disk, and each step is there before it counts.
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import type { Store } from '../store/open-store.ts';
import { beginTry, lockoutSchema, mayTry, NO_LOCKOUTS, noteOutcome, outcomeOf, retryCredential } from './lockout.ts';
import type { Credential, LockoutState, RetryVerdict, TryVerdict } from './lockout.ts';
import type { TargetInfo } from './target.ts';

export interface LockoutGuard {
  /** What {@link begin} would say, without beginning anything. */
  look(target: TargetInfo): TryVerdict;
  /**
   * Asked right before a logon. `try`: it is on the disk that this target tries; {@link end} must follow.
   *
   * @throws store_… where it cannot be written down: then nothing is tried
   */
  begin(target: TargetInfo): TryVerdict;
  /** `code` of the error that the logon ended with; null: the target took the secret. */
  end(target: TargetInfo, code: string | null): void;
  /** A signed retry. Joins the caller's unit. */
  retry(asked: Pick<Credential, 'credentialId' | 'credentialVersion'>): RetryVerdict;
  /** Stopped credentials by id, for alerts and `status`. */
  stopped(): readonly { readonly credentialId: string; readonly version: number; readonly cause: string }[];
}

const KEY = 'credential_lockout';

/** @param nowT signed time, Unix seconds; null without one, and then nothing is tried */
export function createLockoutGuard(d: {
  readonly store: Pick<Store, 'settings' | 'unit'>;
  readonly nowT: () => number | null;
}): LockoutGuard {
  const read = (): LockoutState => {
    const text = d.store.settings.get(KEY);
    if (text === null) return NO_LOCKOUTS;
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), lockoutSchema), text);
    // Forgetting what locks accounts is no way to go on.
    if (!parsed.success) throw new AgentError('store_corrupt', 'what is known of stopped credentials cannot be read');
    return parsed.output;
  };
  const write = (state: LockoutState): void => d.store.settings.set(KEY, JSON.stringify(state));
  const look = (target: TargetInfo): TryVerdict => {
    const now = d.nowT();
    return now === null
      ? { may: 'later', code: 'credential_waiting', until: null }
      : mayTry(read(), target, target.id, now);
  };
  return {
    look,
    begin: (target) =>
      d.store.unit(() => {
        const verdict = look(target);
        const now = d.nowT();
        if (verdict.may === 'try' && now !== null) write(beginTry(read(), target, target.id, now));
        return verdict;
      }),
    end: (target, code) =>
      d.store.unit(() => {
        const now = d.nowT() ?? latest(read());
        const before = read();
        const next = noteOutcome(before, target, target.id, outcomeOf(code), now);
        if (JSON.stringify(next) !== JSON.stringify(before)) write(next);
      }),
    retry: (asked) => {
      const now = d.nowT();
      if (now === null) return { retry: 'refused', code: 'credential_retry_too_soon' };
      const verdict = retryCredential(read(), asked, now);
      if (verdict.retry === 'taken') write(verdict.state);
      return verdict;
    },
    stopped: () =>
      read()
        .credentials.filter((one) => one.standing === 'stopped')
        .map((one) => ({
          credentialId: one.credential_id,
          version: one.version,
          cause: one.code ?? 'winrm_logon_failed',
        })),
  };
}

/** Where signed time was lost between the begin and the end of a try: the newest time that is known. */
const latest = (state: LockoutState): number =>
  Math.max(0, ...state.credentials.map(({ trial }) => trial?.since ?? 0), ...state.bad.map(({ at }) => at));
