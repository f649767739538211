// Two people order a new device key: from the draft to the confirmed epoch, with a daemon that is killed on the way. A real server, a
// real appliance, and the evidence of both logs.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openedEpoch } from '../../agent/daemon/epoch-state.ts';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { until } from '../../tools/demo/process.ts';
import { carryOut, untilEpoch, untilStored, verifyStored, WITHIN_MS } from '../support/epoch-site.ts';
import { orderedEpochSite } from '../support/ordered-epoch-site.ts';

describe('an order to rotate the device key', { timeout: 300_000 }, () => {
  const { site, people, begin, keyFiles, authorise, untilAuthorisation, confirm, orderEntries } = orderedEpochSite();
  const newKey = (): string => readFileSync(join(site.paths.state, 'keys/device-2.key'), 'utf8');
  beforeAll(begin);

  it('opens the next epoch with a new key, which the registrar binds, also where it is killed on the way', async () => {
    const before = await untilStored(site);
    let id = await authorise('rotate_device_key');
    const made = await until('the new key', () => (keyFiles().includes('device-2.key') ? newKey() : null), WITHIN_MS);
    await site.endAgent('SIGKILL');
    site.startAgent();
    const first = await untilAuthorisation(id, 'done');
    if (first.report?.outcome !== 'success') {
      // Killed before anything was committed: it says so, and is never run again by itself.
      expect(first.report).toMatchObject({ outcome: 'failed', code: 'order_interrupted' });
      id = await authorise('rotate_device_key');
    }
    expect(await untilAuthorisation(id, 'done')).toMatchObject({ report: { outcome: 'success' } });
    const { epoch } = await untilEpoch(site, 2);
    expect(epoch).toMatchObject({ cause: 'device_key_rotated', old_origin: before.log!.origin });
    // The key that was on the disk first is the one that the registrar bound.
    expect(newKey()).toBe(made);
    expect(
      orderEntries(1)
        .slice(-2)
        .map(({ state }) => state),
    ).toEqual(['accepted', 'started']);
    expect(orderEntries(2)).toMatchObject([{ state: 'result', outcome: 'success', order_kind: 'rotate_device_key' }]);
    const { alarms } = (await site.central('appliance', 'alarms')) as { alarms: { kind: string; detail: string }[] };
    expect(alarms.find(({ kind }) => kind === 'epoch_provisional')?.detail).toContain(
      'device_key_rotated, authorised by alice-ames and bob-brown; follows',
    );
    // Orders go on in it.
    await carryOut(site);
  });

  it('is not followed by another while the epoch is provisional, and nothing is left behind by the attempt', async () => {
    const id = await authorise('new_epoch');
    expect(await untilAuthorisation(id, 'done')).toMatchObject({
      report: { outcome: 'failed', code: 'epoch_too_soon' },
    });
    expect(keyFiles()).not.toContain('device-3.key');
    expect(site.status()?.epoch?.number).toBe(2);
  });

  it('is over once two people confirmed the new key: then the key before is gone, and both logs verify', async () => {
    expect(keyFiles()).toContain('device.key');
    expect(await confirm(people.alice)).toMatchObject({ confirmed: false });
    expect(site.status()?.epoch?.status).toBe('provisional');
    expect(await confirm(people.bob)).toMatchObject({ confirmed: true, persons: ['alice-ames', 'bob-brown'] });
    await untilEpoch(site, 2, 'confirmed');
    await until('the old key is gone', () => (keyFiles().includes('device.key') ? null : true), WITHIN_MS);
    const { log } = await untilStored(site);
    expect(await verifyStored(site, log!.origin)).toMatchObject({ code: 0, log: { ok: true, status: 'confirmed' } });
    expect(await verifyStored(site, log!.origin.replace(/2$/, '1'))).toMatchObject({ code: 0, log: { ok: true } });
  });

  it('killed at any moment afterwards, the appliance comes back with the new key alone', async () => {
    await site.endAgent('SIGKILL');
    const store = openStore({ dir: site.paths.state, clock: systemClock, readOnly: true });
    expect(openedEpoch(store)).toMatchObject({ epoch: 2, ordered: { kind: 'rotate_device_key' } });
    store.close();
    site.startAgent();
    await site.untilStatus('it is answered', (s) => s.last_answer_at !== null && s.blocking_reason === null);
    await carryOut(site);
  });
});
