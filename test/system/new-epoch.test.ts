// Two people order the next epoch of a log, from the draft to its confirmation: a real server, a real appliance, both logs verified.
import { beforeAll, describe, expect, it } from 'vitest';
import { carryOut, untilEpoch, untilStored, verifyStored } from '../support/epoch-site.ts';
import { orderedEpochSite } from '../support/ordered-epoch-site.ts';

describe('an order for the next epoch', { timeout: 300_000 }, () => {
  const { site, people, begin, keyFiles, authorise, untilAuthorisation, confirm, orderEntries } = orderedEpochSite();
  beforeAll(begin);

  it('begins it with a new key, and is over once two people confirmed that key; the one before stays, and both logs verify', async () => {
    const before = await untilStored(site);
    const id = await authorise('new_epoch');
    expect(await untilAuthorisation(id, 'done')).toMatchObject({ report: { outcome: 'success' } });
    const { epoch } = await untilEpoch(site, 2);
    expect(epoch).toMatchObject({ cause: 'epoch_ordered', old_origin: before.log!.origin });
    expect(
      orderEntries(1)
        .slice(-2)
        .map(({ state }) => state),
    ).toEqual(['accepted', 'started']);
    expect(orderEntries(2)).toMatchObject([{ state: 'result', outcome: 'success', order_kind: 'new_epoch' }]);

    expect(await confirm(people.alice)).toMatchObject({ confirmed: false });
    expect(await confirm(people.bob)).toMatchObject({ confirmed: true, persons: ['alice-ames', 'bob-brown'] });
    await untilEpoch(site, 2, 'confirmed');
    // Only a rotation is there to get rid of the key before.
    expect(keyFiles()).toEqual(expect.arrayContaining(['device.key', 'device-2.key']));
    await carryOut(site);
    const { log } = await untilStored(site);
    expect(await verifyStored(site, log!.origin)).toMatchObject({ code: 0, log: { ok: true, status: 'confirmed' } });
    expect(await verifyStored(site, before.log!.origin)).toMatchObject({ code: 0, log: { ok: true } });
  });
});
