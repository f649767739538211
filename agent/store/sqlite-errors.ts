// The border to SQLite and to the file system under it: native errors become AgentErrors that name the path and what to do.
import Database from 'better-sqlite3';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { ErrorCode } from '../errors/codes.ts';

type Translation = readonly [code: ErrorCode, sentence: string];

const READ_ONLY: Translation = ['store_read_only', 'the store cannot be opened for writing'];
const FULL: Translation = ['store_full', 'the disk under the store is full'];
const NO_LOCKS: Translation = ['store_no_locks', 'the file system under the store refuses locks'];
const IO: Translation = ['store_io', 'the disk under the store refused to read or write'];

/** By primary result code (https://sqlite.org/rescode.html); an extended code starts with the primary one. */
const BY_SQLITE_CODE: readonly (readonly [prefix: string, translation: Translation])[] = [
  ['SQLITE_CORRUPT', ['store_corrupt', 'the database file is damaged']],
  ['SQLITE_NOTADB', ['store_corrupt', 'the file is not a database or its first page is damaged']],
  ['SQLITE_FULL', FULL],
  // The shared-memory file could not be made larger: there is no room for it.
  ['SQLITE_IOERR_SHMSIZE', FULL],
  ['SQLITE_READONLY', READ_ONLY],
  ['SQLITE_CANTOPEN', READ_ONLY],
  ['SQLITE_PERM', READ_ONLY],
  ['SQLITE_AUTH', READ_ONLY],
  // fcntl(2) said something else than that somebody holds the lock: ENOSYS, EOPNOTSUPP.
  ['SQLITE_IOERR_LOCK', NO_LOCKS],
  ['SQLITE_IOERR_RDLOCK', NO_LOCKS],
  ['SQLITE_IOERR_UNLOCK', NO_LOCKS],
  ['SQLITE_IOERR_CHECKRESERVEDLOCK', NO_LOCKS],
  ['SQLITE_IOERR', IO],
  ['SQLITE_BUSY', ['store_busy', 'another process holds the database longer than the waiting time']],
  ['SQLITE_LOCKED', ['store_busy', 'another statement holds the table']],
];

const BY_ERRNO: Readonly<Record<string, Translation>> = {
  EROFS: READ_ONLY,
  EACCES: READ_ONLY,
  EPERM: READ_ONLY,
  ENOTDIR: READ_ONLY,
  EEXIST: READ_ONLY,
  ENOENT: READ_ONLY,
  ENOSPC: FULL,
  EDQUOT: FULL,
  EIO: IO,
};

/**
 * What SQLite says of a damaged header or schema only in words, under its general code. Our own statements fit our schema, so a table
 * or column that is missing, or there before its step, is damage too.
 */
const DAMAGED_SCHEMA = /unsupported file format|malformed database schema|no such (?:table|column)|already exists/;
const SCHEMA_DAMAGE: Translation = ['store_corrupt', 'the schema of the database is damaged'];

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** The AgentError for whatever `better-sqlite3` or `node:fs` threw about `path`. An AgentError passes unchanged. */
export function toStoreError(error: unknown, path: string): unknown {
  if (isAgentError(error)) return error;
  const native = codeOf(error);
  const found =
    error instanceof Database.SqliteError
      ? (BY_SQLITE_CODE.find(([prefix]) => native.startsWith(prefix))?.[1] ??
        (DAMAGED_SCHEMA.test(error.message) ? SCHEMA_DAMAGE : undefined))
      : BY_ERRNO[native];
  if (found !== undefined) {
    const [code, sentence] = found;
    return new AgentError(code, sentence, { place: path, details: { native }, cause: error });
  }
  if (!(error instanceof Database.SqliteError)) return error;
  return new AgentError('internal', `the database refused a statement (${native})`, {
    place: path,
    details: { native },
    cause: error,
  });
}

/** Runs `fn`; what it throws comes out translated. */
export function guarded<T>(path: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    throw toStoreError(error, path);
  }
}
