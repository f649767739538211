import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { APPLIANCE, SITE, type Site } from '../../tools/demo/site.ts';
import { demoSite } from '../support/demo-site.ts';
import {
  carryOut,
  firstEntry,
  untilEpoch,
  untilStored,
  verifyBox,
  verifyStored,
  WITHIN_MS,
} from '../support/epoch-site.ts';

/** A site whose appliance has written, and stored, a part of a log. */
async function running(site: Site): Promise<string> {
  await site.provision();
  site.startAgent();
  await site.confirm();
  const status = await site.untilStatus('entries are witnessed', (s) => (s.witnessed?.size ?? 0) > 4);
  await untilStored(site);
  return status.log!.origin;
}

/** Overwrites bytes of the database where `text` stands first. */
function overwrite(path: string, text: string, with_: string): void {
  const at = readFileSync(path).indexOf(text);
  expect(at).toBeGreaterThan(0);
  const file = openSync(path, 'r+');
  writeSync(file, with_, at);
  closeSync(file);
}

const setAside = (site: Site): string[] => readdirSync(site.paths.state).filter((name) => name.startsWith('damaged-'));

describe('an appliance whose database was damaged while it was off', { timeout: 240_000 }, () => {
  const site = demoSite();

  it('sets the file aside, goes on in a new epoch, and uploads what can be read of the old one', async () => {
    const origin = await running(site);
    await site.endCentral('SIGTERM');
    const stored = site.status()!.stored_size!;
    await site.untilStatus('entries wait', (s) => (s.log?.size ?? 0) >= stored + 2);
    await site.endAgent('SIGTERM');
    const database = join(site.paths.state, 'agent.db');
    // One letter: a row is not what was written, and everything else can be read.
    overwrite(database, 'evidence.scope', 'evidence.scepe');
    await site.startCentral();
    site.startAgent();

    const found = await untilEpoch(site, 2);
    expect(found.epoch).toMatchObject({ cause: 'store_corrupt', old_origin: origin });
    const size = found.epoch!.own_size!;
    expect(size).toBeGreaterThanOrEqual(stored + 2);
    const [folder] = setAside(site);
    expect(readFileSync(join(site.paths.state, folder!, 'agent.db')).includes('evidence.scepe')).toBe(true);
    await carryOut(site);
    const { log } = await untilStored(site);
    expect(await firstEntry(site)).toMatchObject({ ended: { cause: 'store_corrupt', own_size: size } });
    expect(await verifyStored(site, log!.origin)).toMatchObject({ code: 0, log: { status: 'provisional' } });
    // Every entry of the old log came, those from before the damage that were never uploaded too.
    expect(await verifyStored(site, origin)).toMatchObject({ code: 0, log: { ok: true, size } });
    expect(await verifyBox(site)).toEqual({ agent: 'verified', python: 'VERIFIED', statuses: ['provisional'] });
  });
});

describe('an appliance whose database is no database any more', { timeout: 240_000 }, () => {
  const site = demoSite();

  it('goes on in a new epoch, says that it does not know how long the old log was, and works', async () => {
    const origin = await running(site);
    await site.endAgent('SIGTERM');
    writeFileSync(join(site.paths.state, 'agent.db'), 'x'.repeat(65_536));
    site.startAgent();
    const found = await untilEpoch(site, 2);
    expect(found.epoch).toMatchObject({ cause: 'store_corrupt', old_origin: origin, own_size: null });
    await carryOut(site);
    const { log } = await untilStored(site);
    expect(await verifyStored(site, log!.origin)).toMatchObject({ code: 0 });
    expect(await verifyStored(site, origin)).toMatchObject({ code: 0 });
  });
});

describe('an appliance whose device key cannot be read any more', { timeout: 240_000 }, () => {
  const site = demoSite();
  const backup = mkdtempSync(join(tmpdir(), 'central-backup-'));
  afterAll(() => rmSync(backup, { recursive: true, force: true }));

  it('lets its TLS key name the next epoch, and works', async () => {
    const origin = await running(site);
    await site.endAgent('SIGTERM');
    await site.endCentral('SIGTERM');
    cpSync(site.paths.data, backup, { recursive: true });
    await site.startCentral();
    const key = join(site.paths.state, 'keys', 'device.key');
    rmSync(key);
    writeFileSync(key, 'not a key\n', { mode: 0o600 });
    site.startAgent();
    const found = await untilEpoch(site, 2);
    expect(found.epoch).toMatchObject({ cause: 'device_key_lost', old_origin: origin });
    const { succession } = (await firstEntry(site)) as { succession: { payload: string } };
    expect(JSON.parse(Buffer.from(succession.payload, 'base64').toString())).toMatchObject({ signed_with: 'tls' });
    await carryOut(site);
    await untilStored(site);
    expect(await verifyBox(site)).toEqual({
      agent: 'verified',
      python: 'VERIFIED',
      statuses: ['confirmed', 'provisional'],
    });
  });

  it('shows its succession again to a Central Command that was restored from before, which binds it again', async () => {
    const { log } = await untilEpoch(site, 2);
    await site.endCentral('SIGTERM');
    rmSync(site.paths.data, { recursive: true });
    cpSync(backup, site.paths.data, { recursive: true });
    const { appliances } = (await site.central('appliance', 'list')) as { appliances: { epoch: number }[] };
    expect(appliances[0]?.epoch).toBe(1);
    const restoredAt = Math.floor(Date.now() / 1_000);
    await site.startCentral();
    const again = await site.untilStatus(
      'it is answered again',
      (s) => (s.last_answer_at ?? 0) > restoredAt && s.blocking_reason === null,
      WITHIN_MS,
    );
    expect(again.epoch).toMatchObject({ number: 2, status: 'provisional' });
    expect(again.log!.origin).toBe(log!.origin);
    await carryOut(site);
    await untilStored(site);
    expect(await verifyStored(site, log!.origin)).toMatchObject({ code: 0, log: { status: 'provisional' } });
  });
});

describe('an appliance whose disk was wiped', { timeout: 240_000 }, () => {
  const site = demoSite();

  it('is enrolled anew under its id, and its binding names what was witnessed of the old log', async () => {
    const origin = await running(site);
    await site.endAgent('SIGTERM');
    const { checkpoints } = (await site.central('evidence', 'checkpoints', '--origin', origin)) as {
      checkpoints: { size: number; root: string }[];
    };
    const { size, root } = checkpoints.at(-1)!;
    rmSync(site.paths.state, { recursive: true });
    rmSync(site.paths.provision, { recursive: true });
    await site.central('usb', 'write', site.paths.provision, '--site', SITE);
    site.startAgent();
    const { fingerprint } = await site.untilStatus('the device waits for confirmation', (s) => s.state === 'pending');
    const confirm = ['appliance', 'confirm', fingerprint ?? '', '--appliance-id', APPLIANCE, '--keys', site.paths.keys];
    await expect(site.central(...confirm)).rejects.toThrow('appliance_exists');
    await site.central(...confirm, '--replace');
    const enrolled = await site.untilStatus(
      'it is enrolled',
      (s) => s.state === 'enrolled' && s.last_answer_at !== null,
    );
    expect(enrolled.log!.origin).toBe(origin.replace(/1$/, '2'));
    expect(enrolled.epoch).toBeNull();
    const { binding } = (await firstEntry(site)) as { binding: { payload: string } };
    expect(JSON.parse(Buffer.from(binding.payload, 'base64').toString())).toMatchObject({
      epoch: 2,
      status: 'confirmed',
      previous: { origin, size, root },
    });
    await carryOut(site);
    await untilStored(site);
    expect(await verifyStored(site, enrolled.log!.origin)).toMatchObject({ code: 0, log: { status: 'confirmed' } });
    expect(await verifyBox(site)).toEqual({ agent: 'verified', python: 'VERIFIED', statuses: ['confirmed'] });

    // Its key lies in the file of the first epoch: a restart finds it.
    await site.endAgent('SIGTERM');
    site.startAgent();
    await site.untilStatus('it is answered again', (s) => s.last_answer_at !== null && s.blocking_reason === null);
    expect(site.status()!.log!.origin).toBe(enrolled.log!.origin);
    expect(existsSync(join(site.paths.state, 'keys', 'device-2.key'))).toBe(false);
  });
});
