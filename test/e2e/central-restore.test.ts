import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateEd25519 } from '../../agent/wire/node-signature.ts';
import { makeCentral, run, type RunningCentral, type TestCentral } from '../support/central-process.ts';
import { checkIn, enrolDevice, evidenceLines, postCheckin, upload, type Enrolled } from '../support/device.ts';

interface Alarm {
  readonly kind: string;
  readonly subject: string;
  readonly cleared_at: number | null;
}

let central: TestCentral;
let server: RunningCentral;
let me: Enrolled;

beforeAll(async () => {
  central = await makeCentral();
  server = await central.serve();
  me = await enrolDevice(central, server.url, 'north-1');
}, 60_000);
afterAll(async () => central.remove());

const issue = () => central.json<{ seq: number }>('order', 'issue', '--appliance', 'north-1', '--kind', 'run_check');

describe('Central Command restored from an older backup', () => {
  it('says how much it holds, takes the rest again, and repeats no order number that the appliance knows', async () => {
    const lines = evidenceLines(me, 8);
    await upload(central, server.url, me, 0, lines.slice(0, 3));
    expect((await issue()).seq).toBe(1);
    const backup = join(central.dir, 'backup');
    const db = new Database(join(central.dataDir, 'central.db'));
    db.exec(`VACUUM INTO '${join(central.dir, 'backup.db')}'`);
    db.close();
    cpSync(join(central.dataDir, 'evidence'), backup, { recursive: true });

    await upload(central, server.url, me, 3, lines.slice(3, 6));
    await issue();
    expect((await issue()).seq).toBe(3);
    expect((await checkIn(central, server.url, me, { order_floor: 3 })).stored.size).toBe(6);

    await server.stop();
    for (const name of ['central.db', 'central.db-wal', 'central.db-shm', 'evidence']) {
      rmSync(join(central.dataDir, name), { recursive: true, force: true });
    }
    cpSync(join(central.dir, 'backup.db'), join(central.dataDir, 'central.db'));
    cpSync(backup, join(central.dataDir, 'evidence'), { recursive: true });
    server = await central.serve();

    const answer = await checkIn(central, server.url, me, { order_floor: 3 });
    expect(answer.stored.size).toBe(3);
    expect(answer.orders).toHaveLength(1);
    expect((await issue()).seq).toBe(4);
    expect((await upload(central, server.url, me, 3, lines.slice(3))).size).toBe(8);
    const { logs } = await central.json<{ logs: { ok: boolean }[] }>('evidence', 'verify');
    expect(logs).toMatchObject([{ ok: true, size: 8 }]);
  });

  it('names each appliance that has taken a later trust root, until the signed root is published again', async () => {
    const draft = join(central.dir, 'root-2.json');
    const rootAlarms = async () => {
      const { alarms } = await central.json<{ alarms: Alarm[] }>('appliance', 'alarms');
      return alarms.flatMap((one) =>
        one.kind === 'root_set_back' ? [`${one.subject} ${one.cleared_at === null ? 'open' : 'cleared'}`] : [],
      );
    };
    const db = new Database(join(central.dataDir, 'central.db'));
    db.exec(`VACUUM INTO '${join(central.dir, 'before-root-2.db')}'`);
    db.close();
    const drafted = await central.json('root', 'draft', '--out', draft, '--online', 'order');
    expect(drafted['backup']).toContain('back up keys/');
    const signed = await run(['root', 'sign', draft, '--keys', central.keysDir, '--yes', '--json']);
    expect([signed.code, signed.stderr]).toEqual([0, signed.stderr]);
    expect((await central.json('root', 'publish', draft))['backup']).toContain(
      'make a backup of central.db and keys/ now',
    );
    await checkIn(central, server.url, me, { order_floor: 4, root_version: 2 });
    expect(await rootAlarms()).toEqual([]);

    await server.stop();
    for (const name of ['central.db', 'central.db-wal', 'central.db-shm']) {
      rmSync(join(central.dataDir, name), { force: true });
    }
    cpSync(join(central.dir, 'before-root-2.db'), join(central.dataDir, 'central.db'));
    server = await central.serve();
    const stranger = generateEd25519().signer;
    const forged = await postCheckin(central, server.url, me, { change: { root_version: 9 }, signer: stranger });
    expect(forged.status).toBe(403);
    await checkIn(central, server.url, me, { order_floor: 4, root_version: 1 });
    expect(await rootAlarms()).toEqual([]);
    await checkIn(central, server.url, me, { order_floor: 4, root_version: 2 });
    await checkIn(central, server.url, me, { order_floor: 4, root_version: 2 });
    expect(await rootAlarms()).toEqual(['north-1 open']);

    await central.json('root', 'publish', draft);
    await checkIn(central, server.url, me, { order_floor: 4, root_version: 2 });
    expect(await rootAlarms()).toEqual(['north-1 cleared']);
  }, 120_000);

  it('keeps evidence that is newer than the database', async () => {
    const lines = evidenceLines(me, 12);
    const db = new Database(join(central.dataDir, 'central.db'));
    db.exec(`VACUUM INTO '${join(central.dir, 'older.db')}'`);
    db.close();
    await upload(central, server.url, me, 8, lines.slice(8));
    await server.stop();
    for (const name of ['central.db', 'central.db-wal', 'central.db-shm']) {
      rmSync(join(central.dataDir, name), { force: true });
    }
    cpSync(join(central.dir, 'older.db'), join(central.dataDir, 'central.db'));
    server = await central.serve();
    expect((await checkIn(central, server.url, me, { order_floor: 4 })).stored.size).toBe(12);
    expect((await upload(central, server.url, me, 8, lines.slice(8))).size).toBe(12);
  });
});
