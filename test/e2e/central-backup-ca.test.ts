import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createHttpsClient } from '../../agent/https/client.ts';
import { spkiPin } from '../../agent/https/pin-check.ts';
import { splitPem } from '../../agent/https/pinned-tls.ts';
import { readProvisionFiles, type Provision } from '../../agent/identity/provision-files.ts';
import { signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import { createBackupAuthority, loadAuthority } from '../../central/ca/certificate-authority.ts';
import { createCentral } from '../../central/service/create-central.ts';
import { databasePath, openCentralStore } from '../../central/store/open-central-store.ts';
import { makeCentral, run, type TestCentral } from '../support/central-process.ts';
import { checkIn, enrolDevice, send, type Enrolled } from '../support/device.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { startHttpsServer } from '../support/tls-server.ts';

const NOW = Math.floor(Date.now() / 1_000);
const OTHER = {
  partnerId: 'acme',
  logDomain: 'acme.internal',
  direct: false,
  persons: [{ id: 'jane', name: 'Jane' }],
  now: NOW,
};

let central: TestCentral;
let stick: Provision;
const ends: (() => Promise<void>)[] = [];

beforeAll(async () => {
  central = await makeCentral();
  const dir = join(central.dir, 'stick');
  await central.json('usb', 'write', dir, '--site', 'north', '--url', 'https://central.example:8443');
  stick = readProvisionFiles(dir);
}, 60_000);
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});
afterAll(() => central.remove());

/** Puts a backup CA where `serve` has the one in use, and asks a server under it with what stands on the stick. */
async function askServerUnder(backupDir: string, o: Pick<Provision, 'caPem' | 'caPins'> = stick): Promise<string> {
  const inUse = join(backupDir, 'in-use');
  mkdirSync(inUse);
  copyFileSync(join(backupDir, 'backup-ca.key.pem'), join(inUse, 'tls-ca.key.pem'));
  copyFileSync(join(backupDir, 'backup-ca.pem'), join(inUse, 'tls-ca.pem'));
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { pem } = await (
    await loadAuthority(inUse)
  ).issueServer({
    hosts: ['127.0.0.1'],
    spki: publicKey.export({ type: 'spki', format: 'der' }),
    now: Math.floor(Date.now() / 1_000),
  });
  const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const server = await startHttpsServer({ certPem: pem, keyPem }, (_request, response) => response.end('moved'));
  ends.push(() => server.close());
  const client = createHttpsClient({ baseUrl: `https://127.0.0.1:${server.port}`, ...o });
  ends.push(() => client.close());
  const answer = await client.request({ method: 'GET', path: '/', deadlineMs: 5_000, maxResponseBytes: 100 });
  return answer.body.toString();
}

describe('the backup CA of Central Command', () => {
  it('stands on every stick beside the CA in use, each under one of the two pins', () => {
    const authorities = splitPem(stick.caPem).map((pem) => new X509Certificate(pem));
    expect(authorities.map(spkiPin)).toEqual(central.caPins);
    expect(stick.caPins).toEqual(central.caPins);
    expect(new Set(authorities.map((ca) => ca.subject)).size).toBe(2);
  });

  it('may take over: an appliance with the files of a stick accepts a server whose certificate it issued', async () => {
    expect(await askServerUnder(central.keysDir)).toBe('moved');
  });

  it('is told from a third CA of the same name, whose server is refused', async () => {
    const third = join(central.dir, 'third');
    mkdirSync(third);
    await createBackupAuthority(third, { partnerId: 'acme', now: Math.floor(Date.now() / 1_000) });
    const name = (dir: string) => new X509Certificate(readFileSync(join(dir, 'backup-ca.pem'))).subject;
    expect(name(third)).toBe(name(central.keysDir));
    await expectCodeAsync(askServerUnder(third), 'tls_untrusted');
  });

  it('is missing in a database made before it was: the stick holds the CA in use, and the command says so', async () => {
    const store = openCentralStore(central.dataDir);
    const pem = store.setting('backup_ca_pem')!;
    try {
      const db = new Database(databasePath(central.dataDir));
      db.exec("DELETE FROM settings WHERE key = 'backup_ca_pem'");
      db.close();
      const dir = join(central.dir, 'old');
      const args = ['usb', 'write', dir, '--site', 'north', '--url', 'https://central.example:8443'];
      expect(await central.json(...args)).toMatchObject({ warnings: ['backup_certificate_missing'] });
      expect(readProvisionFiles(dir).caPem).toBe(central.caPem);
      const spoken = await central.cli('usb', 'write', `${dir}-2`, ...args.slice(3));
      expect([spoken.code, spoken.stdout.includes('backup_certificate_missing')]).toEqual([0, true]);
    } finally {
      store.setSetting('backup_ca_pem', pem);
      store.close();
    }
  });

  it('is not written to a stick when its certificate is of another key than the pin', async () => {
    const store = openCentralStore(central.dataDir);
    const pem = store.setting('backup_ca_pem')!;
    try {
      store.setSetting('backup_ca_pem', central.caPem);
      const dir = join(central.dir, 'swapped');
      const refused = await central.cli('usb', 'write', dir, '--site', 'north', '--url', 'https://c.example', '--json');
      expect(JSON.parse(refused.stderr)).toMatchObject({ code: 'central_damaged' });
    } finally {
      store.setSetting('backup_ca_pem', pem);
      store.close();
    }
  });
});

/** A certificate over mutual TLS with the one that is held. */
async function renewOf(at: TestCentral, url: string, me: Enrolled): Promise<string> {
  const csr = Buffer.from(me.device.csr, 'base64');
  const request = signDocument(
    'certificateRequest',
    {
      schema: 'compliance-agent/certificate-request/v1',
      appliance_id: me.applianceId,
      challenge: null,
      csr: me.device.csr,
      csr_sha256: createHash('sha256').update(csr).digest('hex'),
      sent_at: NOW,
    },
    [me.device.signer],
  );
  const headers = { 'content-type': 'application/vnd.dsse+json' };
  const path = '/api/v1/appliances/certificate';
  return (await send(at, url, path, { headers, body: encodeEnvelope(request), tls: me.tls })).body;
}

describe('the switch to the backup CA', () => {
  const switched = (...args: string[]) =>
    central.json<{ generation: number; pin: string; backup_pin: string; former_key: string }>(
      ...['ca', 'switch', '--keys', central.keysDir, ...args],
    );
  const ask = async (url: string, o: Pick<Provision, 'caPem' | 'caPins'>) => {
    const client = createHttpsClient({ baseUrl: url.replace('localhost', '127.0.0.1'), ...o });
    ends.push(() => client.close());
    return (await client.request({ method: 'POST', path: '/', deadlineMs: 20_000, maxResponseBytes: 1_000 })).status;
  };

  it('is refused without the key of the backup CA that appliances know, and changes nothing', async () => {
    const stranger = join(central.dir, 'stranger');
    await createCentral({ ...OTHER, dataDir: join(stranger, 'data'), keysDir: join(stranger, 'keys') });
    const files = ['backup-ca.key.pem', 'backup-ca.pem'];
    const aside = join(central.dir, 'aside');
    mkdirSync(aside);
    for (const name of files) renameSync(join(central.keysDir, name), join(aside, name));
    const missing = await central.cli('ca', 'switch', '--keys', central.keysDir, '--json');
    expect(JSON.parse(missing.stderr)).toMatchObject({ code: 'key_unreadable' });
    for (const name of files) copyFileSync(join(stranger, 'keys', name), join(central.keysDir, name));
    const wrong = await central.cli('ca', 'switch', '--keys', central.keysDir, '--json');
    expect(JSON.parse(wrong.stderr)).toMatchObject({ code: 'key_malformed' });
    for (const name of files) renameSync(join(aside, name), join(central.keysDir, name));
    expect(await central.json('ca', 'show')).toMatchObject({ generation: 1, pin: central.caPins[0] });
  });

  it('leaves nobody out: an appliance enrolled before goes on with its old certificate and files, and gets a new one', async () => {
    const before = await central.serve();
    const appliance = await enrolDevice(central, before.url, 'moves-along');
    await before.stop();
    const { pin, backup_pin: next, former_key: formerKey } = await switched();
    expect([pin, next === pin]).toEqual([central.caPins[1], false]);
    rmSync(formerKey);
    const after = await central.serve();
    expect(await ask(after.url, stick)).toBe(404);
    const moved = { ...central, caPem: stick.caPem };
    expect((await checkIn(moved, after.url, appliance)).appliance_id).toBe('moves-along');
    const renewed = await renewOf(moved, after.url, appliance);
    const issuer = splitPem(stick.caPem)
      .map((pem) => new X509Certificate(pem))
      .find((ca) => spkiPin(ca) === pin);
    expect(new X509Certificate(renewed).verify(issuer!.publicKey)).toBe(true);
    const dir = join(central.dir, 'new-stick');
    const args = ['usb', 'write', dir, '--site', 'north', '--url', 'https://central.example:8443'];
    const warned = await central.json(...args);
    const written = readProvisionFiles(dir);
    expect(written.caPins).toEqual([pin, next]);
    // The root on it names the CA before, not yet the new backup.
    expect(warned).toMatchObject({ warnings: ['ca_not_in_root'] });
    await after.stop();
    await switched('--leave-behind');
    const third = await central.serve();
    expect(await ask(third.url, written)).toBe(404);
    // Two switches on, files from before the first are of no use, and no failure takes a pin from them or adds one.
    await expectCodeAsync(ask(third.url, stick), 'tls_untrusted');
    expect(readProvisionFiles(join(central.dir, 'stick')).caPins).toEqual(central.caPins);
    await third.stop();
    const { entries } = await central.json<{ entries: { action: string }[] }>('audit', 'list');
    expect(entries.filter(({ action }) => action === 'ca_switched')).toHaveLength(2);
  });

  it('is refused while the trust root does not name the next CA, and while an appliance has not taken that root', async () => {
    const refusal = async () => {
      const { stderr } = await central.cli('ca', 'switch', '--keys', central.keysDir, '--json');
      return JSON.parse(stderr) as { code: string; message: string };
    };
    const before = await central.json<{ generation: number; backup_pin: string }>('ca', 'show');
    expect(await refusal()).toMatchObject({ code: 'ca_not_in_root' });
    const draft = join(central.dir, 'root-2.json');
    await central.json('root', 'draft', '--out', draft);
    const signed = await run(['root', 'sign', draft, '--keys', central.keysDir, '--yes']);
    expect([signed.code, signed.stderr]).toEqual([0, signed.stderr]);
    expect(`${signed.stdout}${signed.stderr}`).toContain(`pin ${before.backup_pin} of CN=Central Command backup CA`);
    await central.json('root', 'publish', draft);
    const behind = await refusal();
    expect(behind.code).toBe('appliances_left_behind');
    expect(behind.message).toContain('moves-along');
    expect(await central.json('ca', 'show')).toMatchObject({
      ...{ generation: before.generation, backup_pin: before.backup_pin, root_version: 2 },
      left_behind_by_switch: ['moves-along'],
    });
    await central.json('appliance', 'decommission', 'moves-along', '--reason', 'gone', '--keys', central.keysDir);
    const late = join(central.dir, 'root-3.json');
    await central.json('root', 'draft', '--out', late);
    expect(await switched()).toMatchObject({ generation: before.generation + 1, left_behind: [] });
    // A root that was drafted before two switches names neither of the CAs that there are now.
    expect(await switched('--leave-behind')).toMatchObject({ generation: before.generation + 2, left_behind: [] });
    await run(['root', 'sign', late, '--keys', central.keysDir, '--yes']);
    const refused = await central.cli('root', 'publish', late, '--json');
    expect(JSON.parse(refused.stderr)).toMatchObject({ code: 'ca_not_in_root' });
  });

  it('leaves sticks possible for appliances that were made for an earlier trust root', async () => {
    const write = (name: string, ...more: string[]) =>
      central.cli(
        'usb',
        'write',
        join(central.dir, name),
        '--no-token',
        '--url',
        'https://c.example',
        '--json',
        ...more,
      );
    expect((await write('newest')).code).toBe(0);
    expect((await write('first', '--root-version', '1')).code).toBe(0);
    expect(readProvisionFiles(join(central.dir, 'first')).root.digest).toBe(central.root.digest);
    expect(readProvisionFiles(join(central.dir, 'newest')).root.root.version).toBe(2);
    expect(JSON.parse((await write('third', '--root-version', '3')).stderr)).toMatchObject({ code: 'usage' });
  });
});
