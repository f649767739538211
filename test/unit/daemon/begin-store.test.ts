import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { beginStore } from '../../../agent/daemon/begin-store.ts';
import { lostStore } from '../../../agent/daemon/epoch-state.ts';
import { createKeepsakeWriter } from '../../../agent/daemon/keepsake-writer.ts';
import { DATABASE_FILE, type DocumentRow, type EnrolledIdentity } from '../../../agent/store/open-store.ts';
import { fakeClock } from '../../support/fakes/fake-clock.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { AT, open } from '../../support/store-fixtures.ts';

const dir = mkdtempSync(join(tmpdir(), 'begin-store-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const keyDir = join(dir, 'keys');
mkdirSync(keyDir);

const identity = { applianceId: 'north-1', origin: 'logs.example/north-1/1', epoch: 1 } as EnrolledIdentity;
const document = (kind: DocumentRow['kind'], version: number): DocumentRow => ({
  kind,
  version,
  digest: String(version).padStart(64, '0'),
  line: `{"version":${version}}`,
  at: AT,
});

describe('a database that is gone', () => {
  const place = mkdtempSync(join(tmpdir(), 'begin-store-'));
  afterAll(() => rmSync(place, { recursive: true, force: true }));
  const begin = () => beginStore({ dir: place, keyDir: join(place, 'keys'), clock: fakeClock(), log: memoryLog() });

  it('makes no stranger of an appliance that was enrolled: it goes on in the next epoch; one that never was begins anew', () => {
    mkdirSync(join(place, 'keys'));
    const before = begin();
    expect([before.trust.identity(), lostStore(before)]).toEqual([null, null]);
    before.trust.saveIdentity(identity);
    createKeepsakeWriter({ store: before, log: memoryLog() }, join(place, 'keys'))();
    before.close();
    for (const part of ['', '-wal', '-shm']) rmSync(join(place, `${DATABASE_FILE}${part}`), { force: true });
    for (let start = 0; start < 2; start++) {
      const store = begin();
      expect(store.trust.identity()).toEqual(identity);
      expect(lostStore(store)).toMatchObject({ cause: 'store_missing', ownSize: null });
      store.close();
    }
  });
});

describe('a database that is overwritten with junk', () => {
  it('brings back no older policy, content or revocations: their versions are kept beside the keys', () => {
    const before = open(dir);
    before.trust.saveIdentity(identity);
    for (const version of [6, 7]) {
      before.trust.putDocument(document('revocations', version));
      before.trust.putDocument(document('policy', version + 10));
      before.trust.putDocument(document('content', version + 20));
    }
    const log = memoryLog();
    createKeepsakeWriter({ store: before, log }, keyDir)();
    before.close();
    writeFileSync(join(dir, DATABASE_FILE), 'x'.repeat(65_536));

    const store = beginStore({ dir, keyDir, clock: fakeClock(), log });
    try {
      expect(store.trust.identity()).toEqual(identity);
      const kinds = ['revocations', 'policy', 'content'] as const;
      expect(kinds.map((kind) => store.trust.document(kind)?.version)).toEqual([7, 17, 27]);
    } finally {
      store.close();
    }
  });
});
