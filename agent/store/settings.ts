// Small named values that must survive a restart.
import type { Db } from './connection.ts';

export interface SettingsTable {
  get(key: string): string | null;
  set(key: string, value: string): void;
  delete(key: string): void;
}

export function settingsTable(db: Db): SettingsTable {
  const get = db.query<{ value: string }>('SELECT value FROM settings WHERE key = ?');
  const set = db.query(
    'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  );
  const remove = db.query('DELETE FROM settings WHERE key = ?');
  return {
    get: (key) => get.get(key)?.value ?? null,
    set: (key, value) => void set.run(key, value),
    delete: (key) => void remove.run(key),
  };
}
