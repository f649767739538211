import { resolve } from 'node:path';
import { defaultKeysDir, personSigners } from '../keys/person-keys.ts';
import { confirmDevice, findDevice } from '../service/confirm-appliance.ts';
import { print, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly keys?: string;
  readonly applianceId?: string;
  readonly replace?: boolean;
}

/** The approver is whoever holds an operator key of the trust root: it stands in the binding. */
export async function confirmAppliance(query: string, o: Options): Promise<void> {
  await withRecords(o, async (records) => {
    const operators = await personSigners(resolve(o.keys ?? defaultKeysDir()), 'operator', records.trust.root().root);
    const approver = (operators[0] as (typeof operators)[number]).person;
    const device = findDevice(records, query);
    const applianceId = confirmDevice(records, device, {
      approver,
      applianceId: o.applianceId,
      ...(o.replace === undefined ? {} : { replace: o.replace }),
    });
    print(
      o,
      { appliance_id: applianceId, site_id: device.site_id, fingerprint: device.fingerprint, approver },
      `${applianceId} at ${device.site_id} confirmed by ${approver}; it gets its certificate with its next claim`,
    );
  });
}
