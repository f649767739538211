// Which recovery key Central Command said it has, kept over restarts, and whether it is to be handed over (again). Pure but for the store.
import * as v from 'valibot';
import type { Store } from '../store/open-store.ts';

/** Handed over again so often: a Central Command that was restored from a backup may have lost it. */
export const AGAIN_AFTER_S = 7 * 86_400;
const KEY = 'recovery_key_acknowledged';

const schema = v.strictObject({ appliance_id: v.string(), sha256: v.string(), at: v.number() });

export interface Acknowledged {
  readonly appliance_id: string;
  /** Of the file. */
  readonly sha256: string;
  /** Unix seconds, wall clock. */
  readonly at: number;
}

/** A clock that was set back makes it due too: it must not wait for years. */
export const isRecoveryKeyDue = (
  known: Acknowledged | null,
  now: { readonly appliance_id: string; readonly sha256: string; readonly at: number },
): boolean =>
  known === null ||
  known.appliance_id !== now.appliance_id ||
  known.sha256 !== now.sha256 ||
  Math.abs(now.at - known.at) >= AGAIN_AFTER_S;

/** Null before the first; what cannot be read counts as none, since handing over again does no harm. */
export function acknowledgedRecoveryKey(store: Pick<Store, 'settings'>): Acknowledged | null {
  try {
    const parsed = v.safeParse(schema, JSON.parse(store.settings.get(KEY) ?? 'null'));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

export const noteAcknowledgedRecoveryKey = (store: Pick<Store, 'settings'>, acknowledged: Acknowledged): void =>
  store.settings.set(KEY, JSON.stringify(acknowledged));
