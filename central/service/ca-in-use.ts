import { readPublicAuthority } from '../ca/certificate-authority.ts';
import { onlineKeysDir } from '../keys/online-keys.ts';
import type { CentralStore } from '../store/open-central-store.ts';
import { caGeneration } from './central.ts';

/** Certificate and pin of the CA in use; its key is not touched. @throws key_unreadable */
export function caInUse(dataDir: string, store: Pick<CentralStore, 'setting'>): { caPem: string; pin: string } {
  return readPublicAuthority(onlineKeysDir(dataDir), caGeneration(store));
}
