// The backup CA takes the place of the CA in use, and a new backup CA is made beside it. Appliances know the backup from their files
// or their trust root; the next root brings them the new one.
import { join } from 'node:path';
import { AgentError } from '../../agent/errors/agent-error.ts';
import {
  backupKeyPath,
  createBackupAuthority,
  installAuthority,
  pinOf,
  readBackupAuthority,
} from '../ca/certificate-authority.ts';
import { readKeyFile } from '../keys/key-files.ts';
import { onlineKeysDir } from '../keys/online-keys.ts';
import { caInUse } from './ca-in-use.ts';
import { caGeneration, type Records } from './central.ts';
import { leftBehind, refuseLeavingBehind } from './left-behind.ts';

export interface SwitchedCa {
  readonly generation: number;
  /** Pin of the CA in use from now on, of its backup, and of the CA before. */
  readonly pin: string;
  readonly backup_pin: string;
  readonly former_pin: string;
  /** Appliances that refuse this server from now on, until they get new files. */
  readonly left_behind: readonly string[];
}

/**
 * Interrupted at any step it can be run again: the files of the next CA lie beside those in use, and one transaction puts them in
 * force. A server that runs goes on with the CA before until it is started again.
 *
 * @param o.peopleDir folder of people, with the key of the backup CA
 * @param o.leaveBehind goes on where appliances would refuse the server
 * @throws ca_not_in_root, appliances_left_behind, backup_certificate_missing, key_unreadable, key_permissions, key_malformed (not the backup's key)
 */
export async function switchAuthority(
  central: Records,
  o: { readonly dataDir: string; readonly peopleDir: string; readonly person: string; readonly leaveBehind?: boolean },
): Promise<SwitchedCa> {
  const { store } = central;
  const generation = caGeneration(store) + 1;
  const former = caInUse(o.dataDir, store);
  const [pin, pem] = [store.setting('backup_ca_pin'), store.setting('backup_ca_pem')];
  if (pin === null || pem === null) {
    throw new AgentError('backup_certificate_missing', 'there is no backup CA whose certificate appliances have', {
      place: o.dataDir,
    });
  }
  if (o.leaveBehind !== true) refuseLeavingBehind(central, pin);
  const behind = leftBehind(central, pin);
  const path = backupKeyPath(o.peopleDir, generation);
  const key = readKeyFile(path);
  if (pinOf(key) !== pin) {
    throw new AgentError('key_malformed', 'this is not the key of the backup CA that appliances know', { place: path });
  }
  const backup = await nextBackup(central, o.peopleDir, generation + 1);
  installAuthority(onlineKeysDir(o.dataDir), generation, key, pem);
  store.unit(() => {
    store.setSetting('ca_generation', String(generation));
    store.setSetting('former_ca_pem', former.caPem + (store.setting('former_ca_pem') ?? ''));
    store.setSetting('backup_ca_pin', backup.pin);
    store.setSetting('backup_ca_pem', backup.pem);
    const at = central.now();
    const detail = [`from ${former.pin}`, ...(behind.length === 0 ? [] : [`without ${behind.join(' ')}`])].join(', ');
    store.access.add({ at, action: 'ca_switched', subject: pin, person: o.person, detail });
  });
  return { generation, pin, backup_pin: backup.pin, former_pin: former.pin, left_behind: behind };
}

/** As an interrupted try left it, or a new one. */
function nextBackup(central: Records, dir: string, generation: number): Promise<{ pin: string; pem: string }> {
  const begun = readBackupAuthority(dir, generation);
  if (begun !== null) return Promise.resolve(begun);
  const { partner_id: partnerId } = central.trust.root().root;
  return createBackupAuthority(dir, { partnerId, now: central.now(), generation });
}

/** Where the key of the CA before lies: it signs nothing any more, and is better gone. */
export const formerKeyPath = (dataDir: string, generation: number): string =>
  join(onlineKeysDir(dataDir), generation === 2 ? 'tls-ca.key.pem' : `tls-ca-${generation - 1}.key.pem`);
