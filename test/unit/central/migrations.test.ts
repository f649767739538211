import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../../central/store/migrations.ts';
import { openCentralStore } from '../../../central/store/open-central-store.ts';

const DOCUMENT = { kind: 'root', scope: '', version: 1, digest: 'ab'.repeat(32), line: '{}' } as const;

describe('a database of the first version of Central Command', () => {
  it('is brought up to date with all that it holds, and its records stay append-only', () => {
    const dir = mkdtempSync(join(tmpdir(), 'central-old-'));
    const path = join(dir, 'central.db');
    const old = new Database(path);
    old.exec(MIGRATIONS[0]!);
    old.pragma('user_version = 1');
    old.prepare('INSERT INTO documents VALUES (@kind, @scope, @version, @digest, @line, 1)').run(DOCUMENT);
    old.prepare("INSERT INTO certificates VALUES ('01', 'north-1', 2, 'pem', 1)").run();
    old.prepare("INSERT INTO appliance_status VALUES ('north-1', 1, 'boot', 3, '0.1.0', 1, NULL, NULL, '{}', 1)").run();
    old.close();

    const store = openCentralStore(dir);
    expect(store.documents.latest('root')).toEqual(DOCUMENT);
    expect(store.appliances.latestCertificate('north-1')).toMatchObject({ serial: '01', issued_for: 'enrolment' });
    expect(store.checkins.status('north-1')).toMatchObject({ order_floor: 3, revocations_version: null });
    store.documents.add({ ...DOCUMENT, kind: 'revocations' }, 2);
    expect(store.documents.latestVersion('revocations')).toBe(1);
    store.close();

    const db = new Database(path);
    expect(db.pragma('user_version', { simple: true })).toBe(MIGRATIONS.length);
    for (const table of ['documents', 'certificates']) {
      expect(() => db.exec(`DELETE FROM ${table}`)).toThrow(/append-only/);
    }
    db.close();
    rmSync(dir, { recursive: true, force: true });
  });
});
