// The CAs that Central Command may be under change with the trust root and with the answer that settles it; connections follow.
import { acceptedCas, heldAfterAnswer, sameCas } from '../identity/central-cas.ts';
import type { Enrolled } from './agent-state.ts';
import { centralClient } from './central-client.ts';
import type { DaemonContext } from './context.ts';

type Deps = Pick<DaemonContext, 'config' | 'keys' | 'state' | 'store' | 'clock' | 'log'>;

/** After documents were brought. Requests from now on are made under the root that is in force now. */
export function refreshTrust(context: Deps, enrolled: Enrolled): void {
  const before = enrolled.trust.root().digest;
  enrolled.trust.refresh();
  if (enrolled.trust.root().digest !== before) reconnect(context, enrolled);
}

/**
 * After an answer that verified under the root in force.
 *
 * @param caPin of the CA of the connection that it came over
 */
export function settleCas(context: Deps, enrolled: Enrolled, caPin: string): void {
  const { store, log } = context;
  const { root } = enrolled.trust.root();
  const identity = store.trust.identity() ?? enrolled.identity;
  const held = heldAfterAnswer(identity, root, caPin);
  if (sameCas(held, identity)) return;
  const narrower = !sameCas(held, acceptedCas(identity, root));
  store.unit(() => store.trust.saveIdentity({ ...identity, ...held }));
  log.info('the CAs of the trust root are the only ones now', { root: root.version, pins: held.caPins.join(' ') });
  if (narrower) reconnect(context, enrolled);
}

function reconnect(context: Deps, enrolled: Enrolled): void {
  const identity = context.store.trust.identity() ?? enrolled.identity;
  enrolled.https.swap(centralClient(context, identity, enrolled.trust.root().root, identity.certificatePem));
}
