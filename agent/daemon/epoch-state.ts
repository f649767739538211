// Where the current epoch of the log stands: bound by the registrar and confirmed, or opened by this appliance itself.
import type { EnrolledIdentity, Store } from '../store/open-store.ts';
import { maxLineBytes, parseDocument } from '../wire/document.ts';
import { parseEnvelope } from '../wire/dsse.ts';
import type { EndedEpoch, EntryBody } from '../wire/schemas/entry.ts';
import type { EmbeddedEnvelope } from '../wire/schemas/primitives.ts';

/** Of an epoch that the appliance opened itself; absent for any other. */
export interface OpenedEpoch {
  readonly epoch: number;
  readonly status: 'unbound' | 'provisional' | 'confirmed';
  readonly deviceSpki: string;
  readonly succession: EmbeddedEnvelope;
  /** The newest binding of the epoch before. */
  readonly predecessor: EmbeddedEnvelope;
  readonly ended: EndedEpoch;
  /** Unix seconds, wall clock. */
  readonly openedAt: number;
  /** SHA-256 of the payload of the registrar's binding; null while unbound. */
  readonly bindingSha256: string | null;
  /** Of the registrar's binding and of the people's confirmation, Unix seconds; absent before. */
  readonly boundAt?: number;
  readonly confirmedAt?: number;
  /** Where people ordered it; absent where the appliance could not go on with the log before. */
  readonly ordered?: OrderedEpoch;
}

export interface OrderedEpoch {
  readonly orderId: string;
  readonly kind: 'rotate_device_key' | 'new_epoch';
  /** As it was in the epoch before: an ordered epoch loses nothing. */
  readonly usesKnownSince: number | null;
}

/** A database that was set aside at the start: the epoch in it ends. */
export interface LostStore {
  readonly cause: string;
  /** Of the folder below the state directory. */
  readonly folder: string;
  readonly ownSize: number | null;
  readonly ownRoot: string | null;
}

/** A log in a folder that was set aside, as far as it is uploaded. */
export interface SetAsideLog {
  readonly origin: string;
  readonly epoch: number;
  readonly folder: string;
  /** Entries that Central Command holds; null before it said so. */
  readonly stored: number | null;
  /** Nothing more can be uploaded of it. */
  readonly done: boolean;
}

const OPENED_KEY = 'epoch_opened';
const LOST_KEY = 'epoch_lost';
const SET_ASIDE_KEY = 'epochs_set_aside';

const load = <T>(store: Pick<Store, 'settings'>, key: string): T | null => {
  const text = store.settings.get(key);
  return text === null ? null : (JSON.parse(text) as T);
};

export const openedEpoch = (store: Pick<Store, 'settings'>): OpenedEpoch | null => load(store, OPENED_KEY);
export const saveOpenedEpoch = (store: Pick<Store, 'settings'>, opened: OpenedEpoch): void =>
  store.settings.set(OPENED_KEY, JSON.stringify(opened));

export const lostStore = (store: Pick<Store, 'settings'>): LostStore | null => load(store, LOST_KEY);
export const saveLostStore = (store: Pick<Store, 'settings'>, lost: LostStore): void =>
  store.settings.set(LOST_KEY, JSON.stringify(lost));
export const forgetLostStore = (store: Pick<Store, 'settings'>): void => store.settings.delete(LOST_KEY);

export const setAsideLogs = (store: Pick<Store, 'settings'>): readonly SetAsideLog[] =>
  load(store, SET_ASIDE_KEY) ?? [];
export const saveSetAsideLogs = (store: Pick<Store, 'settings'>, logs: readonly SetAsideLog[]): void =>
  store.settings.set(SET_ASIDE_KEY, JSON.stringify(logs));

/**
 * Unix seconds since when this database knows which authorisations were used. An epoch begins because it was lost, set back or
 * contradicted, or because another machine took over. The word of people ends the guessing by this machine's own clock, which
 * may be wrong, and by the registrar's, which is an online key's.
 */
export function usesKnownSince(
  store: Pick<Store, 'settings'>,
  { epoch, bindingLine }: Pick<EnrolledIdentity, 'epoch' | 'bindingLine'>,
): number | undefined {
  const opened = openedEpoch(store);
  if (opened?.epoch !== epoch) {
    if (epoch === 1) return undefined;
    // Bound by people after another machine, or after this one was wiped.
    const { payload } = parseEnvelope(bindingLine, { maxBytes: maxLineBytes('binding') });
    return parseDocument('binding', payload).issued_at;
  }
  if (opened.ordered !== undefined) return opened.ordered.usesKnownSince ?? undefined;
  const since = Math.max(opened.openedAt, opened.boundAt ?? 0);
  return opened.confirmedAt === undefined ? since : Math.min(since, opened.confirmedAt);
}

/** Entry 0 of an opened epoch. */
export const openingBody = ({ succession, predecessor, ended }: OpenedEpoch): EntryBody<'epoch'> => ({
  succession,
  predecessor,
  ended,
  status: 'provisional',
});
