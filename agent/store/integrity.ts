// What is looked at before the store is trusted, and the migrations that bring the file to this program's schema.
import { statSync } from 'node:fs';
import { AgentError } from '../errors/agent-error.ts';
import type { Db } from './connection.ts';
import { APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION } from './migrations.ts';
import { tableWithWrongSum } from './row-sums.ts';
import { guarded } from './sqlite-errors.ts';

/** Up to this size the whole file is checked at each start (about 0.2 s); beyond it the daily self check does that. */
const FULL_CHECK_BYTES = 64 * 1024 * 1024;
/** Newest entries whose row sums are checked at the start whatever the size. */
const TAIL_ENTRIES = 2_000;

const corrupt = (path: string, sentence: string): AgentError =>
  new AgentError('store_corrupt', sentence, { place: path });

const pragma = (db: Db, name: string): number => Number(db.raw.pragma(name, { simple: true }));

/** SQLite's own verdict on the whole file: `ok` or its first finding. Reads every page. */
export function quickCheck(db: Db): string {
  return guarded(db.path, () => String(db.raw.pragma('quick_check(1)', { simple: true })));
}

/** Throws `store_too_new` or `store_corrupt`; true when the file has no schema yet. */
export function assertOurFile(db: Db): boolean {
  return guarded(db.path, () => {
    const version = pragma(db, 'user_version');
    if (version === 0) {
      const tables = db.raw.prepare('SELECT count(*) AS n FROM sqlite_schema').pluck().get();
      if (tables !== 0) throw corrupt(db.path, 'the database holds tables but no schema version');
      return true;
    }
    if (pragma(db, 'application_id') !== APPLICATION_ID) {
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

/** Brings the file to SCHEMA_VERSION, each step in its own transaction together with its version number. */
export function migrate(db: Db): void {
  for (const step of MIGRATIONS) {
    if (step.version <= pragma(db, 'user_version')) continue;
    db.unit(() =>
      guarded(db.path, () => {
        db.raw.exec(step.sql);
        db.raw.pragma(`application_id = ${APPLICATION_ID}`);
        db.raw.pragma(`user_version = ${step.version}`);
        setMeta(db, 'readable_from', String(step.readableFrom));
      }),
    );
  }
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

/** Bounded check at the start: structure (whole file while it is small), row sums, and that the log's end is there. */
export function assertSound(db: Db): void {
  guarded(db.path, () => {
    if (statSync(db.path).size <= FULL_CHECK_BYTES) {
      const verdict = quickCheck(db);
      if (verdict !== 'ok') throw corrupt(db.path, 'the structure of the database is damaged');
    }
    const table = tableWithWrongSum(db.raw, TAIL_ENTRIES);
    if (table !== null) throw corrupt(db.path, `a row of the table ${table} was changed outside the agent`);
    const hole = db.raw
      .prepare(
        `SELECT 1 FROM log_state WHERE epoch << 32 | (size - 1)
           IS NOT (SELECT max(id) FROM entries WHERE id BETWEEN epoch << 32 AND (epoch << 32) + 4294967295)
         UNION ALL SELECT 1 FROM (SELECT max(id) AS id FROM entries)
           WHERE id IS NOT NULL AND id >> 32 NOT IN (SELECT epoch FROM log_state)`,
      )
      .get();
    if (hole !== undefined) throw corrupt(db.path, 'the evidence log is shorter or longer than its recorded size');
  });
}
