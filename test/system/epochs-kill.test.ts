// The daemon is killed at each step of a change of epoch, as soon as that step can be seen from outside.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openedEpoch } from '../../agent/daemon/epoch-state.ts';
import { createEvidenceLog } from '../../agent/evidence/log.ts';
import { loadOrCreateKeys } from '../../agent/identity/keys.ts';
import { openStore, type Store } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createIds } from '../../agent/system/ids.ts';
import { openBinding } from '../../agent/trust/binding.ts';
import { parseRoot } from '../../agent/trust/root.ts';
import type { Site } from '../../tools/demo/site.ts';
import { until } from '../../tools/demo/process.ts';
import { demoSite } from '../support/demo-site.ts';
import { carryOut, untilEpoch, untilStored, verifyBox, verifyStored, WITHIN_MS } from '../support/epoch-site.ts';
import { ENTRY_CONTEXT } from '../support/evidence-fixtures.ts';
import { alertBody } from '../support/sample-log.ts';

const scratch = mkdtempSync(join(tmpdir(), 'epochs-kill-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What a reader sees in the store of a daemon that runs; null where it cannot be read now. */
function seen<T>(site: Site, look: (store: Store) => T): T | null {
  try {
    const store = openStore({ dir: site.paths.state, clock: systemClock, readOnly: true });
    try {
      return look(store);
    } finally {
      store.close();
    }
  } catch {
    return null;
  }
}

/** Starts the daemon and kills it as soon as `step` shows; a step that is over at the start shows at once. */
async function killAt(site: Site, what: string, step: () => boolean): Promise<void> {
  site.startAgent();
  await until(
    what,
    () => (step() ? true : null),
    WITHIN_MS,
    () => site.agentProcess()?.output().slice(-3_000) ?? '',
  );
  await site.endAgent('SIGKILL');
}

const keyFiles = (site: Site): string[] => readdirSync(join(site.paths.state, 'keys')).toSorted();
const statusOf = (site: Site): string | null => seen(site, (store) => openedEpoch(store)?.status ?? null);

async function epochsAtCentral(site: Site): Promise<unknown> {
  const { appliances } = (await site.central('appliance', 'list')) as { appliances: { epoch: number }[] };
  return appliances.map(({ epoch }) => epoch);
}

async function running(site: Site): Promise<string> {
  await site.provision();
  site.startAgent();
  await site.confirm();
  const { log } = await site.untilStatus('entries are witnessed', (s) => (s.witnessed?.size ?? 0) > 4);
  await untilStored(site);
  return log!.origin;
}

describe('a suffix that was signed anew with the stolen key', { timeout: 300_000 }, () => {
  const site = demoSite();

  it('is a fork; killed at each step of the change, the daemon opens one epoch and loses nothing', async () => {
    const origin = await running(site);
    await site.endAgent('SIGTERM');
    const image = join(scratch, 'image');
    cpSync(site.paths.state, image, { recursive: true });
    site.startAgent();
    const before = await site.untilStatus('it is answered', (s) => s.witnessed !== null && s.blocking_reason === null);
    await site.issue('run_check', { checks: ['disk'] });
    await site.untilStatus('more is witnessed', (s) => (s.witnessed?.size ?? 0) >= before.witnessed!.size + 3);
    const { log: longer } = await untilStored(site);
    await site.endAgent('SIGTERM');
    renameSync(site.paths.state, join(scratch, 'real'));
    renameSync(image, site.paths.state);
    forge(site.paths.state, longer!.size + 20);

    await killAt(site, 'the new key', () => keyFiles(site).includes('device-2.key'));
    await killAt(site, 'the new epoch', () => statusOf(site) !== null);
    await killAt(site, 'the binding', () => statusOf(site) === 'provisional');
    site.startAgent();
    const found = await untilEpoch(site, 2);
    expect(found.epoch).toMatchObject({ cause: 'log_forked', old_origin: origin });
    expect(keyFiles(site)).toEqual(['device-2.key', 'device.key', 'identity.json', 'tls.key']);
    expect(await epochsAtCentral(site)).toEqual([2]);
    await carryOut(site);
    const { log } = await untilStored(site);
    expect(log!.origin).toBe(origin.replace(/1$/, '2'));
    expect(await verifyStored(site, log!.origin)).toMatchObject({ code: 0, log: { ok: true, status: 'provisional' } });
    expect(await verifyStored(site, origin)).toMatchObject({ code: 0, log: { ok: true } });
    // What Central Command was given of the other history lies beside the log, and is counted.
    const { logs } = (await site.central('evidence', 'list')) as { logs: { origin: string; conflicts: number }[] };
    expect(logs.find((one) => one.origin === origin)?.conflicts).toBeGreaterThan(0);
  });
});

describe('a damaged database, and a daemon that is killed at each step', { timeout: 300_000 }, () => {
  const site = demoSite();

  it('is set aside once; one epoch follows, and nothing that could be read is lost', async () => {
    const origin = await running(site);
    await site.endAgent('SIGTERM');
    const { paths } = site;
    const size = seen(site, (store) => store.entries.state(1).size)!;
    const store = openStore({ dir: paths.state, clock: systemClock });
    store.settings.set('evidence.scope', 'marked');
    store.close();
    damage(join(paths.state, 'agent.db'), 'marked', 'merked');

    const folders = (): string[] => readdirSync(paths.state).filter((name) => name.startsWith('damaged-'));
    await killAt(site, 'the marker', () => existsSync(join(paths.state, 'set-aside.json')) || folders().length > 0);
    await killAt(site, 'the moved file', () =>
      folders().some((name) => existsSync(join(paths.state, name, 'agent.db'))),
    );
    await killAt(site, 'the new identity', () => seen(site, (s) => s.trust.identity()) !== null);
    await killAt(site, 'the new key', () => keyFiles(site).includes('device-2.key'));
    await killAt(site, 'the binding', () => statusOf(site) === 'provisional');
    site.startAgent();
    const found = await untilEpoch(site, 2);
    expect(found.epoch).toMatchObject({ cause: 'store_corrupt', own_size: size });
    expect(folders()).toHaveLength(1);
    expect(await epochsAtCentral(site)).toEqual([2]);
    await carryOut(site);
    const { log } = await untilStored(site);
    expect(await verifyStored(site, log!.origin)).toMatchObject({ code: 0, log: { ok: true } });
    expect(await verifyStored(site, origin)).toMatchObject({ code: 0, log: { ok: true, size } });
    expect(await verifyBox(site)).toMatchObject({ agent: 'verified', python: 'VERIFIED' });
  });
});

/** Goes on with a log as whoever stole disk and key would: other entries, up to `size`. */
function forge(dir: string, size: number): void {
  const store = openStore({ dir, clock: systemClock });
  const { bindingLine } = store.trust.identity()!;
  const root = store.trust.roots().at(-1)!;
  const log = createEvidenceLog({
    store,
    clock: systemClock,
    ids: createIds(systemClock),
    signer: loadOrCreateKeys(join(dir, 'keys')).signer,
    binding: openBinding(parseRoot(root.line, { expectedDigest: root.digest }).root, bindingLine),
    context: () => ENTRY_CONTEXT,
  });
  for (let n = 1; log.size() < size; n += 1) log.append('alert', alertBody(n));
  store.close();
}

function damage(path: string, text: string, instead: string): void {
  const bytes = readFileSync(path);
  const at = bytes.lastIndexOf(text);
  expect(at).toBeGreaterThan(0);
  bytes.write(instead, at);
  writeFileSync(path, bytes);
}
