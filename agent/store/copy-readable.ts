// What a new database takes over from a damaged one: rows whose loss would make the appliance forget what it must not (used
// authorisations, versions that only rise, what was witnessed and receipted), each only where its own sum holds.
import type { Db } from './connection.ts';
import type { DamagedStore } from './damaged-store.ts';
import { LATER_SUMMED_TABLES, SUMMED_TABLES } from './row-sums.ts';

const TABLES = ['authorisations', 'documents', 'receipts', 'checkpoints'] as const;

export function copyReadable(db: Db, damaged: DamagedStore): void {
  for (const table of TABLES) {
    const columns = SUMMED_TABLES[table] ?? LATER_SUMMED_TABLES[table] ?? [];
    const names = columns.join(', ');
    const insert = db.query(
      `INSERT OR IGNORE INTO ${table} (${names}) VALUES (${columns.map((name) => `@${name}`).join(', ')})`,
    );
    for (const row of damaged.rows(table, columns)) insert.run(row);
  }
}
