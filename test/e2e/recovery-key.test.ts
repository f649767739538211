// The sealed recovery key from a boot partition to its owner: the real stage and database on a clock that the test moves, a real server and
// command line. A real daemon with the units that hand it over: test/system/first-boot.test.ts.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AGAIN_AFTER_S } from '../../agent/daemon/recovery-key-sent.ts';
import type { DaemonContext } from '../../agent/daemon/context.ts';
import { recoveryKeyStage } from '../../agent/daemon/stages/recovery-key-stage.ts';
import { recoveryKeyProbe } from '../../agent/facts/recovery-key.ts';
import { createHttpsClient, type HttpsClient } from '../../agent/https/client.ts';
import { openStore, type Store } from '../../agent/store/open-store.ts';
import { isAgeFile } from '../../agent/wire/age-file.ts';
import { maxLineBytes, signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope, signEnvelope } from '../../agent/wire/dsse.ts';
import { makeCentral, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { enrolDevice, send, type Enrolled } from '../support/device.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { fakeClock } from '../support/fakes/fake-clock.ts';
import { memoryLog } from '../support/fakes/memory-log.ts';
import { makeOwner, recoveryKeyLine, recoveryKeyOf, VOLUME, type Owner } from '../support/sealed-keys.ts';

const PATH = '/api/v1/appliances/recovery-key';
const DSSE = { 'content-type': 'application/vnd.dsse+json' };
const SECRET = 'recovery key: cbdefghi-jklnrtuv';
let central: TestCentral;
let server: RunningCentral;
let owner: Owner;
let me: Enrolled;
let other: Enrolled;

beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve();
  owner = await makeOwner();
  me = await enrolDevice(central, server.url, 'north-1');
  other = await enrolDevice(central, server.url, 'north-2');
}, 60_000);
afterAll(() => central.remove());

const hand = (who: Enrolled, body: Buffer, headers: Record<string, string> = DSSE) =>
  send(central, server.url, PATH, { headers, body, tls: who.tls });
interface Held {
  readonly luks_uuid: string | null;
  readonly sealed: string;
  readonly sha256: string;
}
const held = async (id: string): Promise<Held[]> =>
  (await central.json<{ recovery_keys: Held[] }>('appliance', 'recovery-key', id)).recovery_keys;

describe('the address for recovery keys', () => {
  it('takes what an appliance sealed, once, and nothing that is not sealed, too large, unsigned or of another appliance', async () => {
    const sealed = await owner.seal(SECRET);
    const body = recoveryKeyLine(other, sealed);
    const stranger = await send(central, server.url, PATH, { headers: DSSE, body });
    expect([stranger.status, stranger.code]).toEqual([401, 'client_certificate_missing']);
    expect((await hand(other, body, { 'content-type': 'application/json' })).code).toBe('media_type_unsupported');
    expect((await hand(other, Buffer.alloc(maxLineBytes('recoveryKey') + 1, 0x20))).code).toBe('body_too_large');
    expect((await hand(me, body)).code).toBe('signature_invalid');
    const foreign = signDocument('recoveryKey', recoveryKeyOf(other, sealed), [me.device.signer]);
    expect((await hand(me, Buffer.from(encodeEnvelope(foreign)))).code).toBe('identity_mismatch');
    // A daemon out of its mind: signed as it should be, and not sealed.
    const plain = { ...recoveryKeyOf(other, sealed), sealed: Buffer.from(SECRET).toString('base64') };
    const bare = signEnvelope(foreign.payloadType, Buffer.from(JSON.stringify(plain)), [other.device.signer]);
    expect((await hand(other, Buffer.from(encodeEnvelope(bare)))).code).toBe('schema_invalid');
    expect((await central.cli('appliance', 'recovery-key', 'north-2')).stderr).toContain('recovery_key_unknown');
    const [first, second] = [await hand(other, body), await hand(other, body)];
    expect([first.body, second.body].map((text) => (JSON.parse(text) as { result: string }).result)).toEqual([
      'stored',
      'known',
    ]);
    expect(await held('north-2')).toMatchObject([{ luks_uuid: VOLUME, sealed }]);
  });

  it('gives no appliance anything back, and ends what is far too large before it was read', async () => {
    for (const who of [me, other]) {
      const got = await send(central, server.url, PATH, { method: 'GET', tls: who.tls });
      expect([got.status, got.headers['allow']]).toEqual([405, 'POST']);
    }
    const flood = await hand(other, Buffer.alloc(10 * 1_048_576, 0x41)).catch((error: NodeJS.ErrnoException) => ({
      code: ['EPIPE', 'ECONNRESET'].includes(error.code ?? '') ? 'body_too_large' : String(error),
    }));
    expect(flood.code).toBe('body_too_large');
    expect(await held('north-2')).toHaveLength(1);
  });
});

describe('the copy that Central Command keeps', () => {
  const start = Math.floor(Date.now() / 1_000);
  let dir: string;
  let clock: ReturnType<typeof fakeClock>;
  let store: Store;
  let https: HttpsClient;
  let sent: number;
  let run: (seconds?: number) => Promise<void>;
  let put: (sealed: string) => void;

  beforeAll(() => {
    dir = mkdtempSync(join(central.dir, 'agent-'));
    clock = fakeClock({ wallMs: start * 1_000 });
    store = openStore({ dir, clock });
    https = createHttpsClient({
      baseUrl: server.url,
      caPem: central.caPem,
      caPins: central.caPins,
      clientCert: { certPem: me.tls.cert, keyPem: me.tls.key },
    });
    const boot = join(dir, 'boot');
    mkdirSync(boot, { mode: 0o700 });
    put = (sealed) => writeFileSync(join(boot, 'recovery.age'), sealed, { mode: 0o600 });
    writeFileSync(join(boot, 'install.json'), JSON.stringify({ luks_uuid: VOLUME }), { mode: 0o600 });
    sent = 0;
    const counted = {
      host: https.host,
      request: (...args: Parameters<typeof https.request>) => (sent++, https.request(...args)),
    };
    const context = {
      ...{ store, clock, log: memoryLog(), keys: { signer: me.device.signer }, config: { state_dir: dir } },
      ...{ build: { version: '0.1.0' } },
      state: { enrolled: { https: counted, identity: { applianceId: me.applianceId, siteId: me.siteId } } },
    } as unknown as DaemonContext;
    const rootUid = process.getuid?.() ?? 0;
    const stage = recoveryKeyStage(context, recoveryKeyProbe(isAgeFile, { folder: boot, rootUid }));
    run = async (seconds = 0) => {
      clock.setWall((start + seconds) * 1_000);
      await stage.run(new AbortController().signal, 'run-1');
    };
  });
  afterAll(async () => {
    await https.close();
    store.close();
    rmSync(dir, { recursive: true });
  });

  it('comes once, is opened by the owner and by nobody else, and is not sent again after it was acknowledged', async () => {
    await run();
    expect(sent).toBe(0);
    put(await owner.seal(SECRET));
    await run();
    await run(60);
    expect(sent).toBe(1);
    const file = join(dir, 'recovery.age');
    const written = await central.cli('appliance', 'recovery-key', me.applianceId, '--out', file);
    expect([written.code, written.stdout.includes('age --decrypt')]).toEqual([0, true]);
    expect(await owner.open(readFileSync(file, 'utf8'))).toBe(SECRET);
    await expect((await makeOwner()).open(readFileSync(file, 'utf8'))).rejects.toThrow();
    // It overwrites nothing.
    expect((await central.cli('appliance', 'recovery-key', me.applianceId, '--out', file)).code).toBe(2);
  });

  it('stays when that of the next installation comes, whose owner finds each by its volume', async () => {
    put(await owner.seal('recovery key: of the second installation'));
    await run(120);
    expect(sent).toBe(2);
    const keys = await held(me.applianceId);
    expect(await Promise.all(keys.map(({ sealed }) => owner.open(sealed)))).toEqual([
      'recovery key: of the second installation',
      SECRET,
    ]);
    const shown = await central.cli('appliance', 'recovery-key', me.applianceId, '--volume', VOLUME.toUpperCase());
    expect(shown.stdout.match(/BEGIN AGE ENCRYPTED FILE/g)).toHaveLength(2);
    const unknown = await central.cli(
      'appliance',
      'recovery-key',
      me.applianceId,
      '--volume',
      VOLUME.replace('0', '1'),
    );
    expect([unknown.code, unknown.stderr.includes('recovery_key_unknown')]).toEqual([2, true]);
  });

  it('waits while Central Command is away', async () => {
    put(await owner.seal('recovery key: of the third installation'));
    const db = new Database(join(central.dataDir, 'central.db'));
    db.exec(`VACUUM INTO '${join(central.dir, 'backup.db')}'`);
    db.close();
    await server.stop();
    await expectCodeAsync(run(180), 'connect_refused');
    server = await central.serve('--listen', server.url.replace('https://', ''));
    await run(240);
    expect(await held(me.applianceId)).toHaveLength(3);
  });

  it('is back within a week at a Central Command that was restored from a backup, which holds those from before', async () => {
    await server.stop();
    for (const end of ['', '-wal', '-shm']) rmSync(join(central.dataDir, `central.db${end}`), { force: true });
    cpSync(join(central.dir, 'backup.db'), join(central.dataDir, 'central.db'));
    server = await central.serve('--listen', server.url.replace('https://', ''));
    const before = sent;
    await run(240 + AGAIN_AFTER_S - 1);
    expect([sent - before, (await held(me.applianceId)).length]).toEqual([0, 2]);
    await run(240 + AGAIN_AFTER_S);
    await run(241 + AGAIN_AFTER_S);
    const [newest, ...others] = await held(me.applianceId);
    expect([sent - before, others.length]).toEqual([1, 2]);
    expect(await owner.open(newest!.sealed)).toBe('recovery key: of the third installation');
  });

  it('is not sent in the clear, whatever lies on the boot partition: one sentence says so instead', async () => {
    const before = sent;
    put(SECRET);
    const error = await expectCodeAsync(run(300), 'recovery_key_unusable');
    expect([sent - before, error.message.includes('cbdefghi')]).toEqual([0, false]);
  });

  it('is no longer taken once the appliance is out of service, and stays to be read', async () => {
    put(await owner.seal('recovery key: of a thief'));
    await central.cli('appliance', 'decommission', me.applianceId, '--reason', 'broken', '--keys', central.keysDir);
    const error = await expectCodeAsync(run(360), 'http_refused');
    expect(error.details['problem_code']).toBe('appliance_decommissioned');
    expect(await held(me.applianceId)).toHaveLength(3);
  });
});
