// What SQLite and the file system say, as the codes of the store.
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { isAgentError } from '../../../agent/errors/agent-error.ts';
import { openConnection } from '../../../agent/store/connection.ts';
import { DATABASE_FILE } from '../../../agent/store/open-store.ts';
import { toStoreError } from '../../../agent/store/sqlite-errors.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { open, withRaw } from '../../support/store-fixtures.ts';

const codeOf = (error: unknown): string | null => {
  const translated = toStoreError(error, '/state/agent.db');
  return isAgentError(translated) ? translated.code : null;
};

describe('native errors of the store', () => {
  it.each([
    ['SQLITE_IOERR_WRITE', 'store_io'],
    ['SQLITE_IOERR_FSYNC', 'store_io'],
    ['SQLITE_IOERR_SHMSIZE', 'store_full'],
    ['SQLITE_FULL', 'store_full'],
    ['SQLITE_READONLY_DIRECTORY', 'store_read_only'],
    ['SQLITE_CANTOPEN', 'store_read_only'],
    ['SQLITE_CORRUPT_INDEX', 'store_corrupt'],
    ['SQLITE_NOTADB', 'store_corrupt'],
    ['SQLITE_BUSY_SNAPSHOT', 'store_busy'],
    ['SQLITE_LOCKED', 'store_busy'],
    ['SQLITE_CONSTRAINT_UNIQUE', 'internal'],
  ])('%s of SQLite is %s', (native, code) => {
    expect(codeOf(new Database.SqliteError('as SQLite says it', native))).toBe(code);
  });

  it.each([
    ['EIO', 'store_io'],
    ['ENOSPC', 'store_full'],
    ['EDQUOT', 'store_full'],
    ['EROFS', 'store_read_only'],
    ['EACCES', 'store_read_only'],
  ])('%s of the file system is %s', (native, code) => {
    expect(codeOf(Object.assign(new Error('as the system says it'), { code: native }))).toBe(code);
  });

  it('an error of neither passes unchanged: a defect is not called a fault of the disk', () => {
    const defect = new TypeError('x');
    expect(toStoreError(defect, '/state/agent.db')).toBe(defect);
  });

  it('a database that another connection keeps locked is store_busy after the waiting time, and works when it lets go', () =>
    withDir((dir) => {
      open(dir).close();
      const path = join(dir, DATABASE_FILE);
      const db = openConnection(path, { readOnly: false });
      db.raw.pragma('busy_timeout = 1');
      const write = () => db.unit(() => db.query("UPDATE settings SET value = 'v'").run());
      withRaw(dir, (other) => {
        other.exec('BEGIN IMMEDIATE');
        const error = expectCode(write, 'store_busy');
        expect(error.place).toBe(path);
        other.exec('ROLLBACK');
      });
      write();
      db.raw.close();
    }));
});
