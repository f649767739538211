// The CA in use, and the one that comes next.
import { X509Certificate } from 'node:crypto';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { derText, pinOf, readPublicAuthority } from '../ca/certificate-authority.ts';
import { onlineKeysDir } from '../keys/online-keys.ts';
import type { CentralStore } from '../store/open-central-store.ts';
import { caGeneration } from './central.ts';

type Settings = Pick<CentralStore, 'setting'>;

/** Certificate and pin of the CA in use; its key is not touched. @throws key_unreadable */
export function caInUse(dataDir: string, store: Settings): { caPem: string; pin: string } {
  return readPublicAuthority(onlineKeysDir(dataDir), caGeneration(store));
}

/**
 * Pin and certificate of the backup CA; no certificate in a database that was made before `init` made one.
 *
 * @throws central_damaged when the pin is missing, or the certificate is of another key
 */
export function backupCa(store: Settings): { pin: string; pem: string | null } {
  const [pin, pem] = [store.setting('backup_ca_pin'), store.setting('backup_ca_pem')];
  if (pin === null) throw new AgentError('central_damaged', 'the backup pin is missing');
  if (pem !== null && pinOf(new X509Certificate(pem).publicKey) !== pin) {
    throw new AgentError('central_damaged', 'the certificate of the backup CA is not of the key that its pin names');
  }
  return { pin, pem };
}

/**
 * The two of them as the next trust root names them; undefined where the backup CA has no certificate: a root names both or none.
 *
 * @throws key_unreadable, central_damaged
 */
export function casForRoot(dataDir: string, store: Settings): readonly string[] | undefined {
  const { pem } = backupCa(store);
  return pem === null ? undefined : [derText(caInUse(dataDir, store).caPem), derText(pem)];
}
