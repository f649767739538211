import { closeSync, copyFileSync, openSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAgentError } from '../../../agent/errors/agent-error.ts';
import { LATER_SUMMED_TABLES, SUMMED_TABLES } from '../../../agent/store/row-sums.ts';
import { DATABASE_FILE } from '../../../agent/store/open-store.ts';
import { leafHash } from '../../../agent/wire/merkle.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { dump, fill, open, withRaw } from '../../support/store-fixtures.ts';

/** Opens as the daemon does, the log's own check of its lines included; closes; gives the code or null. */
function startCode(dir: string): string | null {
  try {
    const store = open(dir);
    const whole = store.entries.tail(1, 1_000).every(({ line, leaf }) => leafHash(line).equals(leaf));
    store.close();
    return whole ? null : 'line';
  } catch (error) {
    if (isAgentError(error)) return error.code;
    throw error;
  }
}

const EVERY_SUMMED = { ...SUMMED_TABLES, ...LATER_SUMMED_TABLES };

describe('a damaged store', () => {
  it('is never started silently: bytes overwritten anywhere give store_corrupt, or hit unused space and change nothing', () =>
    withDir((parent) => {
      const intact = join(parent, 'intact');
      const store = open(intact);
      fill(store, 40);
      store.close();
      const before = dump(intact);
      const size = statSync(join(intact, DATABASE_FILE)).size;
      const seen: Record<string, number> = {};
      let n = 0;
      fc.assert(
        fc.property(fc.nat(size - 1), fc.uint8Array({ minLength: 1, maxLength: 600 }), (offset, bytes) => {
          const dir = join(parent, `case-${n++}`);
          open(dir).close();
          copyFileSync(join(intact, DATABASE_FILE), join(dir, DATABASE_FILE));
          const file = openSync(join(dir, DATABASE_FILE), 'r+');
          writeSync(file, bytes.subarray(0, size - offset), 0, Math.min(bytes.length, size - offset), offset);
          closeSync(file);
          const code = startCode(dir);
          seen[code ?? 'unharmed'] = (seen[code ?? 'unharmed'] ?? 0) + 1;
          if (code === null) expect(dump(dir)).toBe(before);
          else expect(['store_corrupt', 'store_too_new', 'store_read_only', 'line']).toContain(code);
        }),
        { numRuns: 250 },
      );
      expect(seen['store_corrupt']).toBeGreaterThan(0);
    }));

  it('is refused, or opens unharmed, whichever byte of its header was overwritten', () =>
    withDir((parent) => {
      const intact = join(parent, 'intact');
      const store = open(intact);
      fill(store, 3);
      store.close();
      const before = dump(intact);
      const dir = join(parent, 'case');
      open(dir).close();
      for (let offset = 0; offset < 100; offset += 1) {
        for (const byte of [5, 255]) {
          copyFileSync(join(intact, DATABASE_FILE), join(dir, DATABASE_FILE));
          const file = openSync(join(dir, DATABASE_FILE), 'r+');
          writeSync(file, Uint8Array.of(byte), 0, 1, offset);
          closeSync(file);
          const code = startCode(dir);
          if (code === null) expect(dump(dir)).toBe(before);
          else
            expect(['store_corrupt', 'store_too_new', 'store_read_only', 'line'], `byte ${offset} = ${byte}`).toContain(
              code,
            );
        }
      }
    }));

  it('that lost its last pages is refused', () =>
    withDir((dir) => {
      const store = open(dir);
      fill(store, 40);
      store.close();
      const path = join(dir, DATABASE_FILE);
      truncateSync(path, statSync(path).size - 3 * 4_096);
      expectCode(() => open(dir), 'store_corrupt');
    }));

  it('that was cut to nothing is refused where it held a store, and begun anew where there never was one', () =>
    withDir((dir) => {
      const store = open(dir);
      fill(store);
      store.close();
      truncateSync(join(dir, DATABASE_FILE), 1_000);
      expectCode(() => open(dir), 'store_corrupt');
    }));

  it.each(Object.keys(EVERY_SUMMED))(
    'with a value changed in table %s by a tool without our sums is refused',
    (table) =>
      withDir((dir) => {
        const store = open(dir);
        fill(store);
        store.close();
        withRaw(dir, (raw) => {
          raw.exec(`DROP TRIGGER ${table}_sum_update`);
          const column = EVERY_SUMMED[table]!.at(-1)!;
          const { changes } = raw
            .prepare(
              `UPDATE ${table} SET ${column} = CASE typeof(${column})
          WHEN 'text' THEN ${column} || 'x' ELSE ${column} + 1 END`,
            )
            .run();
          expect(changes).toBeGreaterThan(0);
        });
        expectCode(() => open(dir), 'store_corrupt');
      }),
  );

  it.each(['log_state', 'entries', 'tiles'])('with a value changed in table %s is refused', (table) =>
    withDir((dir) => {
      const store = open(dir);
      fill(store);
      store.close();
      withRaw(dir, (raw) => {
        raw.exec('DROP TRIGGER entries_are_final');
        const change = {
          entries: "UPDATE entries SET kind = 'alert' WHERE id % 4294967296 = 4",
          log_state: 'UPDATE log_state SET last_leaf = zeroblob(32)',
          tiles: 'UPDATE tiles SET hashes = zeroblob(length(hashes))',
        };
        raw.exec(change[table as keyof typeof change]);
      });
      expectCode(() => open(dir), 'store_corrupt');
    }),
  );

  it('whose log lost its end together with nothing else is refused', () =>
    withDir((dir) => {
      const store = open(dir);
      fill(store);
      store.close();
      withRaw(dir, (raw) => raw.exec('DROP TRIGGER entries_are_kept; DELETE FROM entries WHERE id % 4294967296 = 11'));
      expectCode(() => open(dir), 'store_corrupt');
    }));

  it('of more than 64 MiB is checked within bounds, and damage beside its old entries is still found', () =>
    withDir((dir) => {
      const store = open(dir);
      fill(store, 1_200, 60_000);
      store.close();
      const path = join(dir, DATABASE_FILE);
      expect(statSync(path).size).toBeGreaterThan(64 * 1024 * 1024);
      const again = open(dir);
      expect(again.pragmaCheck()).toBe('ok');
      again.close();
      withRaw(dir, (raw) => raw.exec("DROP TRIGGER settings_sum_update; UPDATE settings SET value = 'x'"));
      expectCode(() => open(dir), 'store_corrupt');
    }));
});
