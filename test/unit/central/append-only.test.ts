import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issueOrder } from '../../../central/service/issue-order.ts';
import { lockDataDir } from '../../../central/store/lock-data-dir.ts';
import { openCentralStore } from '../../../central/store/open-central-store.ts';
import { expectCode } from '../../support/expect-code.ts';
import { bindDevice, makeInProcessCentral, START, type InProcessCentral } from '../../support/central-in-process.ts';

let central: InProcessCentral;
let db: Database.Database;
beforeAll(async () => {
  central = await makeInProcessCentral();
  await bindDevice(central, 'north-1');
  issueOrder(central, { applianceId: 'north-1', kind: 'run_check', issuedBy: 'test' });
  const report = { order_id: null, payload_sha256: 'ab'.repeat(32), evidence_seq: null, at: START };
  central.store.orders.addReport('north-1', { ...report, state: 'refused' }, START);
  central.store.evidence.addReceipt({ origin: 'a', size: 1, root: 'b', line: 'c', stored_at: START });
  central.store.witness.keepRefused({ origin: 'a', code: 'log_forked', body: 'b', latest: null, at: START });
  central.store.appliances.revoke({ appliance_id: 'north-9', reason: 'lost', revoked_by: 'jane', revoked_at: START });
  central.store.access.add({ at: START, action: 'claim_wrong', subject: 'tom' });
  const out = { appliance_id: 'north-8', epoch: 1, reason: 'sold', person: 'jane', at: START };
  central.store.appliances.decommission(out);
  const key = { appliance_id: 'north-1', sha256: 'ab'.repeat(32), epoch: 1, luks_uuid: null, received_at: START };
  central.store.recoveryKeys.add({ ...key, sealed: Buffer.from('x') });
  db = new Database(join(central.dataDir, 'central.db'));
});
afterAll(() => {
  db.close();
  central.remove();
});

describe('records of Central Command', () => {
  it.each([
    'order_audit',
    'order_reports',
    'bindings',
    'certificates',
    'documents',
    'receipts',
    'witness_refusals',
    'revoked_appliances',
    'decommissioned_appliances',
    'access_audit',
    'recovery_keys',
  ])('refuses to change or delete a row of %s, whoever asks the database', (table) => {
    const [column] = db.prepare(`SELECT name FROM pragma_table_info('${table}') LIMIT 1`).pluck().all() as string[];
    expect(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()).toBeGreaterThan(0);
    expect(() => db.exec(`UPDATE ${table} SET ${column} = ${column}`)).toThrow(/append-only/);
    expect(() => db.exec(`DELETE FROM ${table}`)).toThrow(/append-only/);
  });

  it('refuses a database of a newer version', () => {
    const version = db.pragma('user_version', { simple: true }) as number;
    db.pragma('user_version = 99');
    expectCode(() => openCentralStore(central.dataDir), 'central_damaged');
    db.pragma(`user_version = ${version}`);
  });

  it('let one server in at a time, and the next one once it has ended', async () => {
    expectCode(() => lockDataDir(central.dataDir), 'central_locked');
    central = await central.reopen();
    expectCode(() => lockDataDir(central.dataDir), 'central_locked');
  });
});
