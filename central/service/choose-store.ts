import { randomUUID } from 'node:crypto';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { parseStoreAddress, storeAddressText, type StoreAddress } from '../evidence-store/store-address.ts';
import type { CentralStore } from '../store/open-central-store.ts';

/** The address that this installation keeps its evidence at; the folder when none was ever chosen. */
export const chosenStore = (store: CentralStore): StoreAddress =>
  parseStoreAddress(store.setting('evidence_store') ?? 'folder');

/**
 * Takes over `wanted` and remembers it. Evidence that is there is not moved: another place is refused then.
 *
 * @throws usage, evidence_store_changed
 */
export function chooseStore(store: CentralStore, wanted: string | undefined): StoreAddress {
  const before = chosenStore(store);
  if (wanted === undefined) return before;
  const address = parseStoreAddress(wanted);
  const text = storeAddressText(address);
  if (text === storeAddressText(before)) return before;
  const sameFolder = before.kind === 'folder' && address.kind === 'folder';
  if (!sameFolder && (store.evidence.origins().length > 0 || store.objects.origins().length > 0)) {
    throw new AgentError('evidence_store_changed', `evidence is kept at ${storeAddressText(before)}`, { place: text });
  }
  store.setSetting('evidence_store', text);
  return address;
}

/** Made once for each database. */
export function installationId(store: CentralStore): string {
  const known = store.setting('installation_id');
  if (known !== null) return known;
  const made = randomUUID();
  store.setSetting('installation_id', made);
  return made;
}
