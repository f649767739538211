// One writer per state directory: an exclusive SQLite lock on lock.db, which the kernel drops when the process dies.
import Database from 'better-sqlite3';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { createPrivateFile } from './connection.ts';
import { guarded, toStoreError } from './sqlite-errors.ts';

/** Takes the lock or throws `store_locked` at once. The returned function gives it back. */
export function takeWriterLock(path: string): () => void {
  return guarded(path, () => {
    createPrivateFile(path);
    const db = new Database(path, { timeout: 0 });
    try {
      db.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      db.close();
      const translated = toStoreError(error, path);
      if (isAgentError(translated) && translated.code === 'store_busy') {
        throw new AgentError('store_locked', 'another process of this agent uses the state directory', {
          place: path,
          cause: error,
        });
      }
      throw translated;
    }
    return () => db.close();
  });
}
