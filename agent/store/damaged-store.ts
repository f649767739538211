// What can still be read of a damaged database. Each row is read by itself where its page does not let the others through, and
// counts only with its own sum; what cannot be read is left out.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { rowOf } from './entries.ts';
import { registerRowSum, rowSum, ROW_SUM } from './row-sums.ts';

export interface DamagedStore {
  /** Recorded size of an epoch's log with its compact range; null where the row is gone or does not hold. */
  logState(epoch: number): { readonly size: number; readonly range: readonly Buffer[] } | null;
  /** Highest readable entry of an epoch; null where none is. */
  lastSeq(epoch: number): number | null;
  /** Lines that follow each other from `from` on, up to the first that cannot be read. The caller checks them. */
  lines(
    epoch: number,
    from: number,
    limit: number,
  ): { readonly seq: number; readonly line: string; readonly leaf: Buffer }[];
  /** Rows of a summed table whose sums hold. */
  rows(table: string, columns: readonly string[]): Record<string, Cell>[];
  close(): void;
}

type Cell = string | number | Buffer | null;

const HASH_BYTES = 32;

/** Null where not even the header can be read. */
export function openDamagedStore(folder: string, file: string): DamagedStore | null {
  const path = join(folder, file);
  if (!existsSync(path)) return null;
  const db = attempt(() => new Database(path, { readonly: true }));
  if (db === null) return null;
  registerRowSum(db);
  if (attempt(() => db.prepare('SELECT count(*) FROM sqlite_schema').get()) === null) {
    db.close();
    return null;
  }
  const get = <R>(sql: string, ...values: (number | string)[]): R | null =>
    attempt(() => db.prepare<unknown[], R>(sql).get(...values) ?? null);

  const last = (epoch: number): number | null => {
    const row = get<{ id: number | null }>(
      'SELECT max(id) AS id FROM entries WHERE id >= ? AND id < ?',
      rowOf(epoch, 0),
      rowOf(epoch + 1, 0),
    );
    return row === null || row.id === null ? null : row.id - rowOf(epoch, 0);
  };
  const logState: DamagedStore['logState'] = (epoch) => {
    const row = get<{ size: number; last_leaf: Buffer; range: Buffer; sum: number }>(
      'SELECT size, last_leaf, range, sum FROM log_state WHERE epoch = ?',
      epoch,
    );
    if (row === null || rowSum(epoch, row.size, row.last_leaf, row.range) !== row.sum) return null;
    const range = Array.from({ length: row.range.length / HASH_BYTES }, (_, i) =>
      row.range.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
    );
    return { size: row.size, range };
  };
  return {
    logState,
    lastSeq: (epoch) => {
      const found = last(epoch);
      if (found !== null) return found;
      const state = logState(epoch);
      return state === null ? null : state.size - 1;
    },
    lines: (epoch, from, limit) => {
      const found: { seq: number; line: string; leaf: Buffer }[] = [];
      for (let seq = from; found.length < limit; seq += 1) {
        const row = get<{ line: string | null; leaf: Buffer }>(
          'SELECT line, leaf FROM entries WHERE id = ?',
          rowOf(epoch, seq),
        );
        if (row === null || row.line === null) break;
        found.push({ seq, line: row.line, leaf: row.leaf });
      }
      return found;
    },
    rows: (table, columns) =>
      attempt(() =>
        db
          .prepare<unknown[], Record<string, Cell>>(
            `SELECT ${columns.join(', ')} FROM ${table} WHERE sum IS ${ROW_SUM}(${columns.join(', ')})`,
          )
          .all(),
      ) ?? [],
    close: () => db.close(),
  };
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    // Damage is what this file is for; whatever SQLite says of it, the row is not readable.
    return null;
  }
}
