import { join } from 'node:path';
import Database from 'better-sqlite3';
import { AgentError } from '../../agent/errors/agent-error.ts';

/**
 * Makes this process the only server of `dataDir` until the returned function is called or the process ends.
 * The kernel drops the lock with the process, so a crash leaves nothing behind.
 *
 * @throws AgentError central_locked
 */
export function lockDataDir(dataDir: string): () => void {
  const db = new Database(join(dataDir, 'lock.db'), { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    db.close();
    throw new AgentError('central_locked', 'another server uses this data folder', { place: dataDir, cause });
  }
  return () => void db.close();
}
