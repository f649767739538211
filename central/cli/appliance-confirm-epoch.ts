import { resolve } from 'node:path';
import { defaultKeysDir, personSigners } from '../keys/person-keys.ts';
import { confirmEpoch } from '../service/confirm-epoch.ts';
import { print, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly keys?: string;
}

/** Signs with every operator key in the folder; further persons may sign later, with theirs. */
export async function confirmOneEpoch(applianceId: string, o: Options): Promise<void> {
  await withRecords(o, async (records) => {
    const { root } = records.trust.root();
    const signers = await personSigners(resolve(o.keys ?? defaultKeysDir()), 'operator', root);
    const { origin, persons, needed, confirmed } = confirmEpoch(records, applianceId, signers);
    const single = needed === 1;
    const who = persons.join(', ');
    print(
      o,
      { appliance_id: applianceId, origin, persons, needed, confirmed, single_approver: single },
      confirmed
        ? `${origin} is confirmed by ${who}${single ? ' (single approver: this trust root asks for one person)' : ''}`
        : `${origin} stays provisional: signed by ${who}, ${persons.length} of ${needed} persons`,
    );
  });
}
