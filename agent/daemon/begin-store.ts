// Opens the store at the start. Where it is damaged it is set aside; then, and where it is gone from an appliance that was enrolled, a
// new one begins with who this appliance is. The next epoch of the log has to be opened (open-next-epoch.ts), for nobody can say what
// the old one held.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isAgentError } from '../errors/agent-error.ts';
import { assertContinues } from '../evidence/check-log.ts';
import { readKeepsake, type Keepsake } from '../identity/keepsake.ts';
import { loadDeviceSigner } from '../identity/keys.ts';
import { openDamagedStore } from '../store/damaged-store.ts';
import { DATABASE_FILE, LOCK_FILE, openStore, type Store } from '../store/open-store.ts';
import { pendingSetAside, setAside, settleSetAside } from '../store/set-aside.ts';
import type { Clock, Log } from '../system/ports.ts';
import { CompactRange } from '../wire/merkle.ts';
import { saveLostStore, saveSetAsideLogs, setAsideLogs } from './epoch-state.ts';

interface Deps {
  readonly dir: string;
  readonly keyDir: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * @throws what openStore throws; store_corrupt where nothing beside the database says who this appliance is
 */
export function beginStore(d: Deps): Store {
  const keepsake = readKeepsake(d.keyDir);
  // Gone altogether is as lost as damaged: who this appliance is lies beside its keys, and a reset takes that away too.
  const isGone = keepsake !== null && !existsSync(join(d.dir, DATABASE_FILE));
  if (isGone) d.log.error('the database is gone', { place: d.dir });
  if (isGone || pendingSetAside(d.dir) !== null) putAside(d);
  const store = openSound(d) ?? replaceDamaged(d, keepsake);
  const folder = pendingSetAside(d.dir);
  if (folder === null) return store;
  try {
    if (store.trust.identity() === null && keepsake !== null) takeUp(d, store, keepsake, folder);
    settleSetAside(d.dir);
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Null where the database, or the log in it, is damaged and there is a way to go on without it. */
function openSound(d: Deps): Store | null {
  const recoverable = readKeepsake(d.keyDir) !== null;
  let store: Store | null = null;
  try {
    store = openStore({ dir: d.dir, clock: d.clock });
    const identity = store.trust.identity();
    const signer = identity === null ? null : loadDeviceSigner(d.keyDir, identity.epoch);
    if (identity !== null && signer !== null) {
      assertContinues(store, identity.epoch, identity.origin, signer.keyid);
    }
    return store;
  } catch (error) {
    if (isAgentError(error) && error.code === 'evidence_binding_mismatch' && store !== null) return store;
    store?.close();
    if (!isAgentError(error) || error.code !== 'store_corrupt' || !recoverable) throw error;
    d.log.error('the database is damaged and is set aside', { reason: error.message, place: error.place });
    return null;
  }
}

function replaceDamaged(d: Deps, keepsake: Keepsake | null): Store {
  if (keepsake !== null) putAside(d);
  return openStore({ dir: d.dir, clock: d.clock });
}

function putAside(d: Deps): void {
  const stamp = new Date(d.clock.wallMs()).toISOString().slice(0, 19).replaceAll(/[:T]/g, '-');
  const folder = setAside(d.dir, DATABASE_FILE, LOCK_FILE, stamp);
  d.log.warn('the damaged database is kept', { folder: join(d.dir, folder) });
}

function takeUp(d: Deps, store: Store, { identity, roots, documents = [] }: Keepsake, folder: string): void {
  const damaged = openDamagedStore(join(d.dir, folder), DATABASE_FILE);
  try {
    const state = damaged?.logState(identity.epoch) ?? null;
    store.unit(() => {
      for (const root of roots) store.trust.addRoot(root);
      store.trust.saveIdentity(identity);
      for (const document of documents) store.trust.putDocument(document);
      if (damaged !== null) store.takeOver(damaged);
      saveLostStore(store, {
        cause: existsSync(join(d.dir, folder, DATABASE_FILE)) ? 'store_corrupt' : 'store_missing',
        folder,
        ownSize: state?.size ?? null,
        ownRoot:
          state === null
            ? null
            : CompactRange.from(state.size, [...state.range])
                .root()
                .toString('hex'),
      });
      const { origin, epoch } = identity;
      saveSetAsideLogs(store, [
        ...setAsideLogs(store),
        { origin, epoch, folder, stored: null, done: damaged === null },
      ]);
    });
  } finally {
    damaged?.close();
  }
}
