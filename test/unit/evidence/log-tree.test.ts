import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logTree } from '../../../agent/evidence/log-tree.ts';
import { openConnection } from '../../../agent/store/connection.ts';
import { MIGRATIONS } from '../../../agent/store/migrations.ts';
import { DATABASE_FILE, openStore } from '../../../agent/store/open-store.ts';
import { TILE_HASHES } from '../../../agent/wire/tiles.ts';
import { logIn, openLog, withDir, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { alertBody } from '../../support/sample-log.ts';
import { expectWholeTree } from '../../support/tree-checks.ts';

function append({ store, log }: OpenLog, count: number): void {
  store.unit(() => {
    for (let n = 0; n < count; n += 1) log.append('alert', alertBody(n));
  });
}

describe('the tree of a log', () => {
  it('gives roots and proofs at every size from tiles that are written as they fill up', () =>
    withLog((open) => {
      for (const count of [200, 54, 1, 1, 300, 511]) {
        append(open, count);
        expectWholeTree(open);
      }
    }));

  it('holds any sequence of appends, restarts and units that are undone', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 200 }) },
      { weight: 1, arbitrary: fc.constantFrom('restart' as const, 'undo' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) =>
        withDir((dir) => {
          let open = openLog(dir);
          for (const one of steps) {
            if (typeof one === 'number') append(open, one);
            else if (one === 'restart') {
              open.store.close();
              open = openLog(dir);
            } else {
              const undone = (): void =>
                open.store.unit(() => {
                  append(open, 2 * TILE_HASHES);
                  throw new Error('undone');
                });
              expect(undone).toThrow('undone');
            }
          }
          expectWholeTree(open);
          open.store.close();
        }),
      ),
      { numRuns: 15 },
    );
  });

  it('is not asked about entries that the log does not have', () =>
    withLog((open) => {
      const tree = logTree(open.store, 1);
      expectCode(() => tree.rootAt(2), 'proof_invalid');
      expectCode(() => tree.consistencyProof(1, 2), 'proof_invalid');
      expectCode(() => tree.inclusionProof(1, 1), 'proof_invalid');
      expectCode(() => tree.inclusionProof(1, 2), 'proof_invalid');
    }));

  it('says that it is damaged where a tile is gone, and makes it again with the next one', () =>
    withLog((open, dir) => {
      append(open, 600);
      const raw = new Database(join(dir, DATABASE_FILE));
      raw.exec('DELETE FROM tiles WHERE length(hashes) < 8192');
      raw.close();
      expectCode(() => logTree(open.store, 1).consistencyProof(300, 601), 'store_corrupt');
      append(open, 300);
      expectWholeTree(open);
    }));
});

describe('a log of an agent without tiles', () => {
  /** What version 1 of the schema does: entries and log state, nothing else. */
  function firstVersion(dir: string): void {
    const db = openConnection(join(dir, DATABASE_FILE), { readOnly: false });
    db.raw.exec(MIGRATIONS[0]!.sql);
    db.raw.pragma('application_id = 0x63616774');
    db.raw.pragma('user_version = 1');
    db.raw.exec("INSERT INTO meta (key, value) VALUES ('readable_from', '1')");
    db.raw.close();
  }

  it('gets its tiles when this version opens it', () =>
    withDir((dir) => {
      firstVersion(dir);
      const open = openLog(dir);
      append(open, 700);
      const raw = new Database(join(dir, DATABASE_FILE));
      raw.exec('DELETE FROM tiles');
      raw.close();
      open.store.close();
      const again = openLog(dir);
      expectWholeTree(again);
      append(again, 400);
      expectWholeTree(again);
      again.store.close();
    }));

  it('is read by the command line before the daemon has brought it up to date', () =>
    withDir((dir) => {
      firstVersion(dir);
      const store = openStore({ dir, clock: { wallMs: () => 0 }, readOnly: true });
      expect(store.checkpoints.all('any.example/a/1')).toEqual([]);
      store.close();
    }));

  it('may be gone on with by that agent after an update was rolled back, and is complete when this one returns', () =>
    withDir((dir) => {
      const open = openLog(dir);
      append(open, 300);
      // The previous version sees a newer file that says it can be worked with, and looks at no table that it does not know.
      const raw = new Database(join(dir, DATABASE_FILE));
      expect(raw.prepare("SELECT value FROM meta WHERE key = 'readable_from'").pluck().get()).toBe('1');
      raw.close();
      const { tiles } = open.store;
      const blind = { ...open.store, tiles: { ...tiles, count: () => Number.MAX_SAFE_INTEGER } };
      const log = logIn(blind, open.clock);
      append({ ...open, log, store: blind }, 600);
      expect(tiles.count(1, 0)).toBe(1);
      open.store.close();
      const again = openLog(dir);
      expectWholeTree(again);
      again.store.close();
    }));
});
