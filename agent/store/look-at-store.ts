// Looks at a store without leaving a trace. Opening a database in WAL mode makes its `-wal` and `-shm` files even for a
// reader; where they are not there, nobody has the file open, and SQLite reads it as one that cannot change (immutable).
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { AgentError } from '../errors/agent-error.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from './migrations.ts';
import { DATABASE_FILE, openStore } from './open-store.ts';
import type { EnrolledIdentity, RootRow, SignedTimeRow } from './trust-documents.ts';

export interface StoreLook {
  readonly identity: EnrolledIdentity | null;
  /** The newest trust root. */
  readonly root: RootRow | null;
  readonly signedTime: SignedTimeRow | null;
}

/** Who this appliance is, as the store says. Throws store_missing, store_corrupt, store_too_new, store_io and their like. */
export function lookAtStore(dir: string): StoreLook {
  return look(
    dir,
    (store) => ({
      identity: store.trust.identity(),
      root: store.trust.roots().at(-1) ?? null,
      signedTime: store.trust.signedTime(),
    }),
    (db) => {
      const one = (sql: string): Record<string, unknown> | null => db.prepare(sql).get() ?? null;
      const identity = one('SELECT json FROM identity');
      return {
        identity: identity === null ? null : (JSON.parse(String(identity['json'])) as EnrolledIdentity),
        root: one('SELECT version, digest, line FROM roots ORDER BY version DESC LIMIT 1') as unknown as RootRow | null,
        signedTime: one(
          'SELECT server_time AS serverTime, boot_ms AS bootMs, boot_id AS bootId FROM signed_time',
        ) as unknown as SignedTimeRow | null,
      };
    },
  );
}

/** SQLite's quick_check of the whole file: `ok` or its first finding. Reads every page. Throws as {@link lookAtStore}. */
export function checkStore(dir: string): string {
  return look(
    dir,
    (store) => store.pragmaCheck(),
    (db) => String(Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0]),
  );
}

function look<T>(dir: string, live: (store: ReturnType<typeof openStore>) => T, resting: (db: DatabaseSync) => T): T {
  const path = join(dir, DATABASE_FILE);
  if (!existsSync(path)) throw new AgentError('store_missing', 'there is no store yet', { place: path });
  if (!existsSync(`${path}-wal`)) {
    try {
      const found = lookAtRest(path, resting);
      // A daemon that started meanwhile may have written below us: then what counts is the other way.
      if (!existsSync(`${path}-wal`)) return found;
    } catch (error) {
      if (!existsSync(`${path}-wal`)) throw error;
    }
  }
  // Nothing is written through this connection, so its clock is never read.
  const store = openStore({ dir, readOnly: true, clock: { wallMs: () => 0 } });
  try {
    return live(store);
  } finally {
    store.close();
  }
}

function lookAtRest<T>(path: string, fn: (db: DatabaseSync) => T): T {
  const url = pathToFileURL(path);
  url.searchParams.set('immutable', '1');
  try {
    const db = new DatabaseSync(url, { readOnly: true });
    try {
      assertOurs(db, path);
      return fn(db);
    } finally {
      db.close();
    }
  } catch (error) {
    throw translated(error, path);
  }
}

const pragma = (db: DatabaseSync, name: string): number =>
  Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);

function assertOurs(db: DatabaseSync, path: string): void {
  const version = pragma(db, 'user_version');
  if (version === 0) throw new AgentError('store_missing', 'the store is still empty', { place: path });
  if (pragma(db, 'application_id') !== APPLICATION_ID) {
    throw new AgentError('store_corrupt', 'the database belongs to another program or its header is damaged', {
      place: path,
    });
  }
  if (version > SCHEMA_VERSION) {
    throw new AgentError('store_too_new', 'the database was written by a newer version of the agent', { place: path });
  }
}

/** Primary result codes of SQLite (https://sqlite.org/rescode.html) that mean a damaged file. */
const DAMAGED = new Set([11, 26]);
const NOT_ALLOWED = new Set([3, 14, 23]);

function translated(error: unknown, path: string): unknown {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  if (typeof code !== 'number') return error;
  const primary = code & 0xff;
  if (DAMAGED.has(primary)) return new AgentError('store_corrupt', 'the database file is damaged', { place: path });
  if (NOT_ALLOWED.has(primary)) {
    return new AgentError('file_denied', 'the database cannot be opened', { place: path, cause: error });
  }
  return new AgentError('store_io', 'the disk under the store refused to read', { place: path, cause: error });
}
