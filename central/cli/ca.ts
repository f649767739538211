import { resolve } from 'node:path';
import { centralCas } from '../../agent/trust/central-cas.ts';
import { defaultKeysDir } from '../keys/person-keys.ts';
import { caInUse } from '../service/ca-in-use.ts';
import { caGeneration } from '../service/central.ts';
import { leftBehind } from '../service/left-behind.ts';
import { formerKeyPath, switchAuthority } from '../service/switch-ca.ts';
import { operator } from './appliance-revoke.ts';
import { print, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly keys?: string;
  readonly leaveBehind?: boolean;
}

export async function showCa(o: Options): Promise<void> {
  await withRecords(o, (records) => {
    const { store, trust } = records;
    const { pin } = caInUse(resolve(o.data), store);
    const backup = store.setting('backup_ca_pin');
    const { root } = trust.root();
    const cas = centralCas(root).map((ca) => ca.pin);
    const behind = backup === null ? [] : leftBehind(records, backup);
    const value = {
      generation: caGeneration(store),
      pin,
      backup_pin: backup,
      root_version: root.version,
      root_pins: cas,
    };
    print(
      o,
      { ...value, left_behind_by_switch: behind },
      [
        `CA ${value.generation} in use, pin ${pin}`,
        `backup CA, pin ${backup ?? 'unknown'}`,
        cas.length === 0 ? `root ${root.version} names no CA` : `root ${root.version} names ${cas.join(' and ')}`,
        ...(behind.length === 0 ? [] : [`a switch now would leave behind: ${behind.join(', ')}`]),
      ].join('\n'),
    );
  });
}

export async function switchCa(o: Options): Promise<void> {
  await withRecords(o, async (records) => {
    const [dataDir, peopleDir] = [resolve(o.data), resolve(o.keys ?? defaultKeysDir())];
    const person = await operator(records, o);
    const done = await switchAuthority(records, { dataDir, peopleDir, person, leaveBehind: o.leaveBehind === true });
    const key = formerKeyPath(dataDir, done.generation);
    print(
      o,
      { ...done, former_key: key },
      [
        `the backup CA is in use as CA ${done.generation}, pin ${done.pin}; start the server again`,
        `a new backup CA lies in ${peopleDir}, pin ${done.backup_pin}: take its key off this machine`,
        `the key of the CA before signs nothing any more; remove ${key}`,
        'now draft, sign and publish the next trust root: with it appliances learn the new backup, and drop the CA before',
        ...(done.left_behind.length === 0
          ? []
          : [`left behind until they get new files: ${done.left_behind.join(', ')}`]),
      ].join('\n'),
    );
  });
}
