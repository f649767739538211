// One SQLite connection with the settings that keep evidence: WAL, synchronous=FULL, foreign keys, 0600 files.
import { chmodSync, closeSync, existsSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import { AgentError } from '../errors/agent-error.ts';
import { registerRowSum } from './row-sums.ts';
import { guarded, toStoreError } from './sqlite-errors.ts';

/** How long a statement waits for another process (`VACUUM INTO` of the CLI, a checkpoint). */
const BUSY_TIMEOUT_MS = 5_000;
/** The WAL file is cut back to this after a checkpoint; a long reader lets it grow. */
const WAL_KEPT_BYTES = 8 * 1024 * 1024;
const SYNCHRONOUS_FULL = 2;

export type SqlValue = string | number | Buffer | null;
export type Row = Record<string, SqlValue>;
type Parameters = readonly SqlValue[] | readonly [Readonly<Record<string, SqlValue>>];

/** A prepared statement whose errors are AgentErrors. */
export interface Query<R> {
  run(...parameters: Parameters): { changes: number; lastInsertRowid: number };
  get(...parameters: Parameters): R | undefined;
  all(...parameters: Parameters): R[];
}

/** The part of a connection that the tables use. Statements are prepared on first use. */
export interface Db {
  readonly path: string;
  readonly raw: Database.Database;
  query<R = Row>(sql: string): Query<R>;
  /** Runs `fn` in BEGIN IMMEDIATE; a nested call joins and is undone alone when it throws. */
  unit<T>(fn: () => T): T;
  /** Joins a running unit without a savepoint: cheaper, for what is never caught inside that unit. Else as `unit`. */
  join<T>(fn: () => T): T;
  /** Units that were undone so far. What was remembered of a table before the number rose may not be in the file. */
  undone(): number;
}

/** Opens (creates) the database file. WAL is kept in the file; the rest is set for each connection. */
export function openConnection(path: string, options: { readOnly: boolean }): Db {
  return guarded(path, () => {
    if (!options.readOnly) createPrivateFile(path);
    const raw = new Database(path, { readonly: options.readOnly, timeout: BUSY_TIMEOUT_MS });
    try {
      registerRowSum(raw);
      raw.pragma('foreign_keys = ON');
      if (!options.readOnly) useDurableWal(raw, path);
      const { unit, undone } = unitOf(raw, path);
      const join: Db['join'] = (fn) => (raw.inTransaction ? fn() : unit(fn));
      return { path, raw, query: (sql) => lazyQuery(raw, path, sql), unit, join, undone };
    } catch (error) {
      raw.close();
      throw error;
    }
  });
}

/** SQLite gives `-wal` and `-shm` the mode of the database file, so the mode is set before SQLite sees it. */
export function createPrivateFile(path: string): void {
  if (existsSync(path)) chmodSync(path, 0o600);
  else closeSync(openSync(path, 'wx', 0o600));
}

/** The packaged SQLite defaults to NORMAL in WAL mode, which loses commits at a power cut: set FULL and read it back. */
function useDurableWal(raw: Database.Database, path: string): void {
  const mode = String(raw.pragma('journal_mode = WAL', { simple: true }));
  raw.pragma('synchronous = FULL');
  raw.pragma(`journal_size_limit = ${WAL_KEPT_BYTES}`);
  if (mode !== 'wal' || raw.pragma('synchronous', { simple: true }) !== SYNCHRONOUS_FULL) {
    throw new AgentError('store_io', `the file system does not allow write-ahead logging (journal mode is ${mode})`, {
      place: path,
      remedy: 'move the state directory to a local file system',
    });
  }
}

function lazyQuery<R>(raw: Database.Database, path: string, sql: string): Query<R> {
  let prepared: Database.Statement<unknown[], R> | undefined;
  const statement = (): Database.Statement<unknown[], R> => (prepared ??= raw.prepare<unknown[], R>(sql));
  return {
    run: (...parameters) => {
      try {
        const { changes, lastInsertRowid } = statement().run(...parameters);
        return { changes, lastInsertRowid: Number(lastInsertRowid) };
      } catch (error) {
        throw toStoreError(error, path);
      }
    },
    get: (...parameters) => guarded(path, () => statement().get(...parameters)),
    all: (...parameters) => guarded(path, () => statement().all(...parameters)),
  };
}

function unitOf(raw: Database.Database, path: string): Pick<Db, 'unit' | 'undone'> {
  let undone = 0;
  const [begin, commit, rollback, savepoint, release, undo] = [
    'BEGIN IMMEDIATE',
    'COMMIT',
    'ROLLBACK',
    'SAVEPOINT nested',
    'RELEASE nested',
    'ROLLBACK TO nested',
  ].map((sql) => lazyQuery(raw, path, sql)) as [Query<Row>, Query<Row>, Query<Row>, Query<Row>, Query<Row>, Query<Row>];
  const unit = <T>(fn: () => T): T => {
    const nested = raw.inTransaction;
    (nested ? savepoint : begin).run();
    try {
      const value = fn();
      if (value instanceof Promise) throw new AgentError('internal', 'a unit of work must not await', { place: path });
      (nested ? release : commit).run();
      return value;
    } catch (error) {
      undone += 1;
      // A full disk or an I/O error may have ended the transaction already.
      if (raw.inTransaction && nested) {
        undo.run();
        release.run();
      } else if (raw.inTransaction) rollback.run();
      throw error;
    }
  };
  return { unit, undone: () => undone };
}
