// Which CAs an enrolled appliance holds, read from its database beside the daemon that uses it.
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { EnrolledIdentity } from '../../agent/store/open-store.ts';
import { DATABASE_FILE } from '../../agent/store/open-store.ts';

/** In their order; none before enrolment. */
export function heldPins(stateDir: string): readonly string[] {
  const db = new Database(join(stateDir, DATABASE_FILE), { readonly: true });
  try {
    const row = db.prepare<[], { json: string }>('SELECT json FROM identity').get();
    return row === undefined ? [] : (JSON.parse(row.json) as EnrolledIdentity).caPins;
  } finally {
    db.close();
  }
}
