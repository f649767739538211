import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createHttpsClient } from '../../agent/https/client.ts';
import { spkiPin } from '../../agent/https/pin-check.ts';
import { splitPem } from '../../agent/https/pinned-connection.ts';
import { readProvisionFiles, type Provision } from '../../agent/identity/provision-files.ts';
import { createBackupAuthority, loadAuthority } from '../../central/ca/certificate-authority.ts';
import { databasePath, openCentralStore } from '../../central/store/open-central-store.ts';
import { makeCentral, type TestCentral } from '../support/central-process.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { startHttpsServer } from '../support/tls-server.ts';

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
