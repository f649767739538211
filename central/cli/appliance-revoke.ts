import { resolve } from 'node:path';
import { defaultKeysDir, personSigners } from '../keys/person-keys.ts';
import { decommissionAppliance, revokeAppliance, vouchFor } from '../service/revoke-appliance.ts';
import type { Records } from '../service/central.ts';
import { print, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly keys?: string;
}

/** Whoever says it holds an operator key of the trust root; their name is kept beside the reason. */
export async function revokeOne(applianceId: string, o: Options & { readonly reason: string }): Promise<void> {
  await withRecords(o, async (records) => {
    const row = revokeAppliance(records, applianceId, { reason: o.reason, revokedBy: await operator(records, o) });
    print(
      o,
      row,
      `${applianceId} is revoked since ${when(row.revoked_at)} by ${row.revoked_by}: ${row.reason}\nIts evidence stays.`,
    );
  });
}

export async function vouchForOne(applianceId: string, o: Options): Promise<void> {
  await withRecords(o, async (records) => {
    const person = await operator(records, o);
    vouchFor(records, applianceId, person);
    print(o, { appliance_id: applianceId, by: person }, `${applianceId} is one machine, says ${person}`);
  });
}

export async function decommissionOne(applianceId: string, o: Options & { readonly reason: string }): Promise<void> {
  await withRecords(o, async (records) => {
    const row = decommissionAppliance(records, applianceId, { reason: o.reason, person: await operator(records, o) });
    print(
      o,
      row,
      [
        `${applianceId} (epoch ${row.epoch}) is out of service since ${when(row.at)} by ${row.person}: ${row.reason}`,
        'Its evidence stays. To wipe its keys, erase its disk; where somebody can log in, run `compliance-agent provision reset`.',
      ].join('\n'),
    );
  });
}

/** @throws what personSigners names: the folder holds no operator key of the trust root */
export async function operator(records: Records, o: { readonly keys?: string }): Promise<string> {
  const [first] = await personSigners(resolve(o.keys ?? defaultKeysDir()), 'operator', records.trust.root().root);
  // personSigners throws where there is none.
  return (first as NonNullable<typeof first>).person;
}
