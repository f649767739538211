// What is looked at before the store is trusted, and the migrations that bring the file to this program's schema.
import { statSync } from 'node:fs';
import { AgentError } from '../errors/agent-error.ts';
import type { Db } from './connection.ts';
import { APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION } from './migrations.ts';
import { LATER_SUMMED_TABLES, SUMMED_TABLES, tableWithWrongSum } from './row-sums.ts';
import { guarded } from './sqlite-errors.ts';

/** Up to this size the structure of the whole file is checked (about 0.2 s). */
const FULL_CHECK_BYTES = 64 * 1024 * 1024;
/** Newest entries whose row sums are checked at the start whatever the size. */
const TAIL_ENTRIES = 2_000;

const corrupt = (path: string, sentence: string): AgentError =>
  new AgentError('store_corrupt', sentence, { place: path });

const pragma = (db: Db, name: string): number => Number(db.raw.pragma(name, { simple: true }));

/** Throws `store_too_new` or `store_corrupt`; true when the file has no schema yet. */
export function assertOurFile(db: Db): boolean {
  return guarded(db.path, () => {
    const version = pragma(db, 'user_version');
    if (version === 0) {
      const tables = db.raw.prepare('SELECT count(*) AS n FROM sqlite_schema').pluck().get();
      if (tables !== 0) throw corrupt(db.path, 'the database holds tables but no schema version');
      return true;
    }
    if (version < 0 || pragma(db, 'application_id') !== APPLICATION_ID) {
      throw corrupt(db.path, 'the database belongs to another program or its header is damaged');
    }
    if (version > SCHEMA_VERSION) assertReadable(db, version);
    return false;
  });
}

/** An update may be rolled back: a newer file is fine as long as its steps say that this schema can work with it. */
function assertReadable(db: Db, version: number): void {
  const stored = db.raw.prepare("SELECT value FROM meta WHERE key = 'readable_from'").pluck().get();
  if (typeof stored === 'string' && Number(stored) <= SCHEMA_VERSION) return;
  throw new AgentError('store_too_new', 'the database was written by a newer version of the agent', {
    place: db.path,
    details: { file: version, program: SCHEMA_VERSION },
  });
}

/** Those that a file from before their migration does not have yet are left out. */
function laterTables(db: Db): string[] {
  const exists = db.query<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?");
  return Object.keys(LATER_SUMMED_TABLES).filter((table) => exists.get(table) !== undefined);
}

/** Brings the file to SCHEMA_VERSION: all missing steps and the version number in one transaction. */
export function migrate(db: Db): void {
  const missing = MIGRATIONS.filter((step) => step.version > pragma(db, 'user_version'));
  const last = missing.at(-1);
  if (last === undefined) return;
  db.unit(() =>
    guarded(db.path, () => {
      for (const step of missing) db.raw.exec(step.sql);
      db.raw.pragma(`application_id = ${APPLICATION_ID}`);
      db.raw.pragma(`user_version = ${last.version}`);
      raiseReadableFrom(db, last.readableFrom);
    }),
  );
}

/** Programs with an older schema than this refuse the file from now on. Never lowered: what they cannot read stays in it. */
export function raiseReadableFrom(db: Db, schema: number): void {
  const stored = db.raw.prepare("SELECT value FROM meta WHERE key = 'readable_from'").pluck().get();
  if (typeof stored === 'string' && Number(stored) >= schema) return;
  setMeta(db, 'readable_from', String(schema));
}

/** Also proves that the disk takes a write: a full or read-only one is met at the start, not at the first finding. */
export function noteOpened(db: Db, wallMs: number): void {
  db.unit(() => setMeta(db, 'opened_at', String(Math.floor(wallMs / 1000))));
}

function setMeta(db: Db, key: string, value: string): void {
  db.query('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value').run(
    key,
    value,
  );
}

/**
 * `ok`, or one sentence on the first damage found: the structure (of the whole file while it is small, else of every
 * table but `entries` and `tiles`), the row sums, and that the log ends where its recorded size says.
 */
export function soundness(db: Db): string {
  return guarded(db.path, () => {
    const whole = statSync(db.path).size <= FULL_CHECK_BYTES;
    const parts = whole ? [''] : [...Object.keys(SUMMED_TABLES), ...laterTables(db), 'log_state'];
    for (const table of parts) {
      const check = table === '' ? 'quick_check(1)' : `quick_check('${table}')`;
      if (db.raw.pragma(check, { simple: true }) !== 'ok') return 'the structure of the database is damaged';
    }
    const table = tableWithWrongSum(db.raw, TAIL_ENTRIES);
    if (table !== null) return `a row of the table ${table} was changed outside the agent`;
    return logEndsAsRecorded(db) ? 'ok' : 'the evidence log is shorter or longer than its recorded size';
  });
}

/** Throws `store_corrupt` where the store is not sound. */
export function assertSound(db: Db): void {
  const verdict = soundness(db);
  if (verdict !== 'ok') throw corrupt(db.path, verdict);
}

function logEndsAsRecorded(db: Db): boolean {
  const wrong = db.raw
    .prepare(
      `SELECT 1 FROM log_state WHERE epoch << 32 | (size - 1)
         IS NOT (SELECT max(id) FROM entries WHERE id BETWEEN epoch << 32 AND (epoch << 32) + 4294967295)
       UNION ALL SELECT 1 FROM (SELECT max(id) AS id FROM entries)
         WHERE id IS NOT NULL AND id >> 32 NOT IN (SELECT epoch FROM log_state)`,
    )
    .get();
  return wrong === undefined;
}
