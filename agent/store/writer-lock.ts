// One writer per state directory: an exclusive SQLite lock on lock.db, which the kernel drops when the process dies.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { createPrivateFile } from './connection.ts';
import { guarded, toStoreError } from './sqlite-errors.ts';

/** Takes the lock or throws `store_locked` or `store_no_locks` at once. The returned function gives it back. */
export function takeWriterLock(path: string): () => void {
  return guarded(path, () => {
    createPrivateFile(path);
    const db = new Database(path, { timeout: 0 });
    try {
      db.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      db.close();
      if (isBusy(error, path) && !givesLocks(path)) {
        throw new AgentError('store_no_locks', 'the file system refuses a lock that nobody holds', {
          place: path,
          cause: error,
        });
      }
      if (isBusy(error, path)) {
        throw new AgentError('store_locked', 'another process of this agent uses the state directory', {
          place: path,
          cause: error,
        });
      }
      throw toStoreError(error, path);
    }
    return () => db.close();
  });
}

const isBusy = (error: unknown, path: string): boolean => {
  const translated = toStoreError(error, path);
  return isAgentError(translated) && translated.code === 'store_busy';
};

/**
 * SQLite says "busy" for ENOLCK too, which a file system without locks answers. A file of a new random name is held by nobody: where
 * it cannot be locked either, nothing can.
 */
function givesLocks(lockPath: string): boolean {
  const path = `${lockPath}-test-${randomBytes(8).toString('hex')}`;
  createPrivateFile(path);
  try {
    const db = new Database(path, { timeout: 0 });
    try {
      db.exec('BEGIN EXCLUSIVE');
      return true;
    } catch (error) {
      if (isBusy(error, path)) return false;
      throw error;
    } finally {
      db.close();
    }
  } finally {
    rmSync(path, { force: true });
  }
}
