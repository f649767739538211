// The appliance cannot go on with its log: it opens the next epoch itself, at once, with a new device key. Everything that makes
// the new epoch is committed as one unit, so that a kill leaves the old epoch or the new one, and the same key either way.
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { isMemoryWhole, vouchForMemory } from '../healing/healing-memory.ts';
import { keyFilesOf, loadDeviceSigner, loadOrCreateKeys } from '../identity/keys.ts';
import { signSuccession } from '../identity/sign-succession.ts';
import type { EnrolledIdentity, Store } from '../store/open-store.ts';
import { nextOrigin, PROVISIONAL_INTERVAL_S } from '../trust/succession.ts';
import { parseEnvelope, toEmbedded } from '../wire/dsse.ts';
import { maxLineBytes } from '../wire/document.ts';
import { CompactRange } from '../wire/merkle.ts';
import type { EndedEpoch } from '../wire/schemas/entry.ts';
import type { WitnessConflict } from '../uplink/witness.ts';
import type { Enrolled } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { nowSeconds } from './context.ts';
import { forgetLostStore, openedEpoch, saveOpenedEpoch, type OrderedEpoch } from './epoch-state.ts';
import { WAIVERS_SAID } from './note-waivers.ts';
import { openEnrolled } from './open-enrolled.ts';
import { openStoredBinding } from './stored-binding.ts';

/** Why the epoch ends; what is known of its log. */
export type EpochEnd = Omit<EndedEpoch, 'old_origin'>;

/** Not twice within 24 hours: until then the old epoch goes on with reading orders only. */
export function mayOpenNextEpoch(store: Pick<Store, 'settings'>, nowS: number): boolean {
  const opened = openedEpoch(store);
  return opened === null || Math.abs(nowS - opened.openedAt) >= PROVISIONAL_INTERVAL_S;
}

/** What this store knows of the log whose epoch ends. */
export function endOf(store: Store, { epoch, origin }: EnrolledIdentity, cause: string): EpochEnd {
  const { size, range } = store.entries.state(epoch);
  const witnessed = store.checkpoints.latest(origin);
  return {
    own_size: size,
    own_root: CompactRange.from(size, range).root().toString('hex'),
    witnessed_size: witnessed?.size ?? null,
    witnessed_root: witnessed?.root ?? null,
    cause,
  };
}

/** Of a log that its own witnessed checkpoint contradicts. */
export const endByConflict = (store: Store, identity: EnrolledIdentity, conflict: WitnessConflict): EpochEnd => ({
  ...endOf(store, identity, conflict.code),
  witnessed_size: conflict.size,
  witnessed_root: conflict.root,
});

/**
 * Opens the epoch after the one that the registrar bound last, and gives what works in it. Whoever holds the log of the old
 * epoch writes to the new one from then on.
 *
 * @param ordered by whom and how, where it was
 * @throws evidence_binding_mismatch where neither key of the old epoch is there; the store's errors
 */
export function openNextEpoch(
  context: DaemonContext,
  identity: EnrolledIdentity,
  end: EpochEnd,
  ordered?: OrderedEpoch,
): Enrolled {
  const { store, clock, config, state } = context;
  const old = openStoredBinding(store, identity.bindingLine);
  const keyDir = join(config.state_dir, 'keys');
  const epoch = old.value.epoch + 1;
  const found = loadDeviceSigner(keyDir, old.value.epoch);
  const oldSigner = found?.spki === old.value.device_spki ? found : null;
  const keys = loadOrCreateKeys(keyDir, epoch);
  if (oldSigner === null && keys.tlsSpki !== old.value.tls_spki) {
    throw new AgentError(
      'evidence_binding_mismatch',
      'neither the device key nor the TLS key of the appliance is there',
      {
        place: keyDir,
      },
    );
  }
  const openedAt = nowSeconds(clock);
  const next: EnrolledIdentity = { ...identity, epoch, origin: nextOrigin(old.value) };
  const before = { keys: context.keys, keyFiles: context.keyFiles };
  context.keys = keys;
  context.keyFiles = keyFilesOf(keyDir, epoch, keys.atRest);
  let enrolled: Enrolled;
  try {
    enrolled = store.unit(() => {
      saveOpenedEpoch(store, {
        epoch,
        status: 'unbound',
        deviceSpki: keys.signer.spki,
        succession: signSuccession(old.value, oldSigner, keys, openedAt),
        predecessor: toEmbedded(parseEnvelope(old.line, { maxBytes: maxLineBytes('binding') })),
        ended: { old_origin: old.value.origin, ...end },
        openedAt,
        bindingSha256: null,
        ...(ordered === undefined ? {} : { ordered }),
      });
      store.trust.saveIdentity(next);
      // An epoch that people ordered begins in the database that it goes on in; any other may have lost what was paused or stopped.
      if (ordered !== undefined && isMemoryWhole(store, identity.epoch)) vouchForMemory(store, epoch);
      forgetLostStore(store);
      // What the old epoch said, the new one has to say again.
      store.findings.clear();
      for (const key of ['evidence.scope', 'evidence.digest', 'evidence.alerts', WAIVERS_SAID])
        store.settings.delete(key);
      const opened = openEnrolled(context, next, state.enrolled?.https);
      opened.recorder.raise('epoch_provisional', { severity: 'high', details: { cause: end.cause } });
      return opened;
    });
  } catch (error) {
    Object.assign(context, before);
    throw error;
  }
  state.enrolled?.evidence.continueIn(enrolled.evidence);
  const say = ordered === undefined ? 'error' : 'warn';
  context.log[say]('the log goes on in a provisional epoch', { origin: next.origin, cause: end.cause });
  return enrolled;
}
