// Two people order a new device key: from the draft to the confirmed epoch, with a daemon that is killed on the way. A real server, a
// real appliance, and the evidence of both logs.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import { openedEpoch } from '../../agent/daemon/epoch-state.ts';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import { run, until } from '../../tools/demo/process.ts';
import { APPLIANCE, SITE } from '../../tools/demo/site.ts';
import { demoSite, REPO } from '../support/demo-site.ts';
import { carryOut, untilEpoch, untilStored, verifyStored, WITHIN_MS } from '../support/epoch-site.ts';

const ALWAYS = `time_zone: UTC
windows:
  - { days: [mon, tue, wed, thu, fri, sat, sun], start: "00:00", end: "23:59" }
  - { days: [mon, tue, wed, thu, fri, sat, sun], start: "23:58", end: "00:01" }
`;

interface Row {
  readonly authorisation_id: string;
  readonly state: string;
  readonly report: { readonly outcome: string; readonly code: string } | null;
}

describe('an order to rotate the device key', { timeout: 300_000 }, () => {
  const site = demoSite([], ['Alice Ames', 'Bob Brown']);
  const folder = join(site.paths.keys, '..');
  const people = { alice: join(folder, 'alice'), bob: join(folder, 'bob') };

  const keyFiles = (): string[] => readdirSync(join(site.paths.state, 'keys')).toSorted();
  const newKey = (): string => readFileSync(join(site.paths.state, 'keys/device-2.key'), 'utf8');
  /** Authorised by both, published. */
  async function authorise(kind: string): Promise<string> {
    const file = join(folder, `${kind}-${performance.now()}.json`);
    const { authorisation_id: id } = (await site.central(
      ...['authorise', 'draft', '--appliance', APPLIANCE, '--kind', kind, '--out', file],
    )) as { authorisation_id: string };
    for (const keys of Object.values(people)) {
      const argv = [
        process.execPath,
        join(REPO, 'central/main.ts'),
        'authorise',
        'sign',
        file,
        '--keys',
        keys,
        '--yes',
      ];
      expect((await run(argv as [string, ...string[]], { cwd: folder })).code).toBe(0);
    }
    await site.central('authorise', 'publish', file);
    return id;
  }
  const untilAuthorisation = (id: string, state: string): Promise<Row> =>
    until(
      `the authorisation is ${state}`,
      async () => {
        const { authorisations } = (await site.central('authorise', 'list')) as { authorisations: Row[] };
        return authorisations.find((row) => row.authorisation_id === id && row.state === state) ?? null;
      },
      WITHIN_MS,
      () => site.agentProcess()?.output().slice(-4_000) ?? '',
    );
  const confirm = (keys: string) => site.central('appliance', 'confirm-epoch', APPLIANCE, '--keys', keys);
  /** `order` entries of an epoch as they stand in its log. */
  function orderEntries(epoch: number): PredicateOf<'order'>[] {
    const store = openStore({ dir: site.paths.state, clock: systemClock, readOnly: true });
    try {
      return store.entries.list(epoch, { fromSeq: 0, limit: 10_000 }).flatMap(({ line }) => {
        const { predicate } = statementOf(line.toString());
        return predicate.kind === 'order' ? [predicate] : [];
      });
    } finally {
      store.close();
    }
  }

  beforeAll(async () => {
    await site.provision();
    site.startAgent();
    await site.confirm();
    for (const [name, person] of [
      ['alice', 'alice-ames'],
      ['bob', 'bob-brown'],
    ] as const) {
      mkdirSync(people[name], { mode: 0o700 });
      copyFileSync(join(site.paths.keys, `operator-${person}.pem`), join(people[name], `operator-${person}.pem`));
    }
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, ALWAYS);
    await site.central('policy', 'sign', file, '--site', SITE, '--keys', site.paths.keys);
    await site.untilStatus('entries are witnessed', (s) => (s.witnessed?.size ?? 0) > 4 && s.policy_version !== null);
  });

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
