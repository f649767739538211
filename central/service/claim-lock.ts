// Wrong claim codes lock who tried them, the account and the address each for itself. A box is never locked: whoever guesses
// would otherwise keep it from its site.
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { TriesRow } from '../store/claim-table.ts';
import type { Records } from './central.ts';

/** Wrong codes within the window before the lock. */
export const MAX_WRONG_CLAIMS = 5;
export const WRONG_CLAIMS_WINDOW_S = 900;
export const CLAIM_LOCK_S = 900;

export interface Claimant {
  /** Id of the technician's account. */
  readonly account: string;
  /** Where the request came from, as the portal or the shell knows it. */
  readonly address: string;
}

type Parts = Pick<Records, 'store' | 'now'>;
const namesOf = ({ account, address }: Claimant) =>
  [
    ['account', account],
    ['address', address],
  ] as const;

/** @throws claim_locked */
export function refuseLocked({ store, now }: Parts, who: Claimant): void {
  for (const [kind, name] of namesOf(who)) {
    const until = store.claims.tries(kind, name)?.locked_until ?? 0;
    if (until <= now()) continue;
    throw new AgentError('claim_locked', `too many wrong codes: the ${kind} ${name} is locked for ${until - now()} s`, {
      details: { retry_in_s: until - now() },
    });
  }
}

/** Counts a wrong code against account and address, and locks what has had too many. */
export function noteWrongClaim({ store, now }: Parts, who: Claimant): void {
  store.unit(() => {
    const at = now();
    const { account: person, address } = who;
    store.access.add({ at, action: 'claim_wrong', subject: person, person, address });
    for (const [kind, name] of namesOf(who)) {
      const before = store.claims.tries(kind, name);
      const row = countWrong(before, { kind, name }, at);
      store.claims.saveTries(row);
      if (row.locked_until <= at) continue;
      store.access.add({ at, action: 'claim_locked', subject: name, person, address, detail: kind });
      store.alarms.raise('claim_locked', name, `${MAX_WRONG_CLAIMS} wrong claim codes by this ${kind}`, at);
    }
  });
}

/** Pure. */
function countWrong(before: TriesRow | null, who: Pick<TriesRow, 'kind' | 'name'>, at: number): TriesRow {
  const counts = before !== null && at - before.first_at < WRONG_CLAIMS_WINDOW_S && before.locked_until <= at;
  const failures = counts ? before.failures + 1 : 1;
  const isLocked = failures >= MAX_WRONG_CLAIMS;
  return {
    ...who,
    failures: isLocked ? 0 : failures,
    first_at: counts ? before.first_at : at,
    locked_until: isLocked ? at + CLAIM_LOCK_S : 0,
  };
}

/** A person's word that these wrong codes were mistakes. */
export function unlockClaims({ store, now }: Parts, kind: TriesRow['kind'], name: string, person: string): void {
  store.unit(() => {
    store.claims.forgetTries(kind, name);
    store.alarms.clear('claim_locked', name, now());
    store.access.add({ at: now(), action: 'claim_unlocked', subject: name, person, detail: kind });
  });
}
