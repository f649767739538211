import { resolve } from 'node:path';
import { defaultKeysDir } from '../keys/person-keys.ts';
import { caInUse } from '../service/ca-in-use.ts';
import { caGeneration } from '../service/central.ts';
import { formerKeyPath, switchAuthority } from '../service/switch-ca.ts';
import { operator } from './appliance-revoke.ts';
import { print, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly keys?: string;
}

export async function showCa(o: Options): Promise<void> {
  await withRecords(o, ({ store }) => {
    const { pin } = caInUse(resolve(o.data), store);
    const value = { generation: caGeneration(store), pin, backup_pin: store.setting('backup_ca_pin') };
    print(o, value, `CA ${value.generation} in use, pin ${pin}\nbackup CA, pin ${value.backup_pin ?? 'unknown'}`);
  });
}

export async function switchCa(o: Options): Promise<void> {
  await withRecords(o, async (records) => {
    const [dataDir, peopleDir] = [resolve(o.data), resolve(o.keys ?? defaultKeysDir())];
    const done = await switchAuthority(records, { dataDir, peopleDir, person: await operator(records, o) });
    const key = formerKeyPath(dataDir, done.generation);
    print(
      o,
      { ...done, former_key: key },
      [
        `the backup CA is in use as CA ${done.generation}, pin ${done.pin}; start the server again`,
        `a new backup CA lies in ${peopleDir}, pin ${done.backup_pin}: take its key off this machine`,
        `the key of the CA before signs nothing any more; remove ${key}`,
        'sticks written before still enrol; appliances enrolled before have no further backup until they get new files',
      ].join('\n'),
    );
  });
}
