// Takes up the log where an earlier process ended; where that cannot be, the next epoch begins.
import type { EnrolledIdentity } from '../store/open-store.ts';
import type { Enrolled } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { nowSeconds } from './context.ts';
import { lostStore, openedEpoch } from './epoch-state.ts';
import { openEnrolled } from './open-enrolled.ts';
import { endByConflict, endOf, mayOpenNextEpoch, openNextEpoch } from './open-next-epoch.ts';
import { openStoredBinding } from './stored-binding.ts';

/** @throws what openEnrolled and openNextEpoch throw */
export function resumeEpoch(context: DaemonContext, identity: EnrolledIdentity): Enrolled {
  const { store, keys, state, clock } = context;
  const lost = lostStore(store);
  if (lost !== null) {
    const { witnessed_size, witnessed_root } = endOf(store, identity, lost.cause);
    const { cause, ownSize: own_size, ownRoot: own_root } = lost;
    return openNextEpoch(context, identity, { own_size, own_root, witnessed_size, witnessed_root, cause });
  }
  if (keys.signer.spki !== expectedKey(context, identity)) {
    return openNextEpoch(context, identity, endOf(store, identity, 'device_key_lost'));
  }
  const enrolled = openEnrolled(context, identity);
  const conflict = enrolled.uplink.conflict();
  if (conflict === null || !mayOpenNextEpoch(store, nowSeconds(clock))) return enrolled;
  state.enrolled = enrolled;
  return openNextEpoch(context, identity, endByConflict(store, identity, conflict));
}

function expectedKey({ store }: DaemonContext, identity: EnrolledIdentity): string {
  const opened = openedEpoch(store);
  if (opened?.status === 'unbound' && opened.epoch === identity.epoch) return opened.deviceSpki;
  return openStoredBinding(store, identity.bindingLine).value.device_spki;
}
