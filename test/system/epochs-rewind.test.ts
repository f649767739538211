import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { APPLIANCE } from '../../tools/demo/site.ts';
import { until } from '../../tools/demo/process.ts';
import { demoSite } from '../support/demo-site.ts';
import {
  carryOut,
  firstEntry,
  openAlarms,
  untilEpoch,
  untilStored,
  verifyBox,
  verifyStored,
  WITHIN_MS,
} from '../support/epoch-site.ts';

const scratch = mkdtempSync(join(tmpdir(), 'epochs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('a box whose disk was copied and set back', { timeout: 240_000 }, () => {
  const site = demoSite();
  const image = join(scratch, 'image');
  let origin = '';

  it('opens the next epoch itself, and status says what happened', async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
    const first = await site.untilStatus('entries are witnessed', (s) => (s.witnessed?.size ?? 0) > 4);
    origin = first.log!.origin;
    await site.endAgent('SIGTERM');
    cpSync(site.paths.state, image, { recursive: true });
    site.startAgent();
    const before = await site.untilStatus(
      'more is witnessed',
      (s) => s.witnessed !== null && s.blocking_reason === null,
    );
    await site.issue('run_check', { checks: ['disk'] });
    await site.untilStatus('still more is witnessed', (s) => (s.witnessed?.size ?? 0) >= before.witnessed!.size + 3);
    await untilStored(site);
    await site.endAgent('SIGTERM');
    renameSync(site.paths.state, join(scratch, 'real'));
    renameSync(image, site.paths.state);

    site.startAgent();
    // The image also repeats check-in counters of this boot: it is answered once it is past those that were used.
    const found = await untilEpoch(site, 2);
    expect(found.epoch).toMatchObject({ old_origin: origin, cause: expect.stringMatching(/^log_(rewound|forked)$/) });
    expect(found.epoch!.witnessed_size).toBeGreaterThanOrEqual(before.witnessed!.size + 3);
    expect(found.log!.origin).toBe(origin.replace(/1$/, '2'));
    const { output } = await site.cli('status');
    expect(output).toContain('PROVISIONAL until people confirm it');
    expect(output).toMatch(new RegExp(`${found.epoch!.cause}: the log ${origin} had [0-9]+ entries here, [0-9]+ were`));
  });

  it('says it in entry 0 and to Central Command, which lists the epoch as provisional', async () => {
    const { cause, witnessed_size } = site.status()!.epoch!;
    const entry = await firstEntry(site);
    expect(entry).toMatchObject({
      kind: 'epoch',
      status: 'provisional',
      ended: { old_origin: origin, cause, witnessed_size },
    });
    const alarms = await openAlarms(site);
    expect(alarms).toContain(`epoch_provisional ${origin.replace(/1$/, '2')}`);
    expect(alarms).toContain(`${cause} ${origin}`);
    const { appliances } = (await site.central('appliance', 'list')) as { appliances: object[] };
    expect(appliances).toMatchObject([{ appliance_id: APPLIANCE, epoch: 2, epoch_status: 'provisional' }]);
  });

  it('goes on working: a routine order is carried out, uploads are whole, both verifiers take both logs', async () => {
    await carryOut(site);
    const { log } = await untilStored(site);
    const stored = await verifyStored(site, log!.origin);
    expect(stored).toMatchObject({ code: 0, log: { ok: true, status: 'provisional' } });
    expect(await verifyStored(site, origin)).toMatchObject({ code: 0, log: { ok: true, status: 'confirmed' } });
    expect(await verifyBox(site)).toEqual({
      agent: 'verified',
      python: 'VERIFIED',
      statuses: ['confirmed', 'provisional'],
    });
  });

  it('is confirmed by its operators; then no view calls it provisional, and the alarm is closed', async () => {
    const said = await site.central('appliance', 'confirm-epoch', APPLIANCE, '--keys', site.paths.keys);
    expect(said).toMatchObject({ confirmed: true, needed: 1, single_approver: true });
    const { log } = await untilEpoch(site, 2, 'confirmed');
    expect((await site.cli('status')).output).toContain('confirmed by people');
    expect((await openAlarms(site)).filter((alarm) => alarm.startsWith('epoch_'))).toEqual([]);
    const { appliances } = (await site.central('appliance', 'list')) as { appliances: object[] };
    expect(appliances).toMatchObject([{ epoch: 2, epoch_status: 'confirmed' }]);
    await untilStored(site);
    expect(await verifyStored(site, log!.origin)).toMatchObject({ code: 0, log: { status: 'confirmed' } });
  });

  it('set back a second time within 24 hours opens no third epoch: it observes and takes reading orders only', async () => {
    await site.endAgent('SIGTERM');
    rmSync(image, { recursive: true, force: true });
    cpSync(site.paths.state, image, { recursive: true });
    site.startAgent();
    const before = await site.untilStatus('it is answered', (s) => s.witnessed !== null && s.blocking_reason === null);
    await site.issue('run_check', { checks: ['disk'] });
    await site.untilStatus('more is witnessed', (s) => (s.witnessed?.size ?? 0) >= before.witnessed!.size + 3);
    await site.endAgent('SIGTERM');
    renameSync(site.paths.state, join(scratch, 'real-2'));
    renameSync(image, site.paths.state);
    site.startAgent();
    const found = await site.untilStatus(
      'the conflict is found',
      (s) => ['log_rewound', 'log_forked'].includes(s.blocking_reason?.code ?? ''),
      WITHIN_MS,
    );
    expect(found.blocking_reason?.sentence).toContain('takes only reading orders');
    expect(found.epoch?.number).toBe(2);
    const size = found.log?.size ?? 0;
    const routine = await site.issue('set_healing', { action: 'pause', minutes: 5 });
    const reading = await site.issue('run_check', { checks: ['disk'] });
    const outcome = await until(
      'the reading order is done',
      async () => {
        const { orders } = (await site.central('order', 'list', '--appliance', APPLIANCE)) as {
          orders: { order_id: string; outcome: string }[];
        };
        const of = (id: string) => orders.find((order) => order.order_id === id);
        return of(reading.order_id)?.outcome === 'success' ? of(routine.order_id) : null;
      },
      WITHIN_MS,
    );
    expect(outcome?.outcome ?? '').not.toBe('success');
    await site.untilStatus('entries are still written', (s) => (s.log?.size ?? 0) > size);
  });
});
