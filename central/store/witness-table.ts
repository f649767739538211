import type Database from 'better-sqlite3';
import { sha256Hex } from '../../agent/wire/digest.ts';

/** The last checkpoint of a log that the witness cosigned. */
export interface WitnessedRow {
  readonly origin: string;
  readonly size: number;
  /** Hex. */
  readonly root: string;
  /** The note with the signature of the log and the cosignature. */
  readonly note: string;
  /** Unix seconds. */
  readonly at: number;
}

/** A request that the witness refused: what an appliance signed and should not have. */
export interface RefusedRow {
  readonly origin: string;
  readonly code: string;
  /** Body of the request, byte for byte. */
  readonly body: string;
  /** The note that it was held against; null before the first. */
  readonly latest: string | null;
  readonly at: number;
}

export interface WitnessTable {
  latest(origin: string): WitnessedRow | null;
  /** Replaces the latest, and keeps it as the last of its day (UTC). Within the caller's unit. */
  save(row: WitnessedRow): void;
  /** The last cosigned checkpoint of each day, oldest first. */
  days(origin: string): WitnessedRow[];
  /** Keeps a body once, and at most MAX_REFUSED of a log. @returns false where it is not new or there are too many */
  keepRefused(row: RefusedRow): boolean;
  /** Oldest first. */
  refused(origin: string): RefusedRow[];
}

/** The first ones say what happened; a stolen key must not fill the disk. */
export const MAX_REFUSED = 100;
const DAY_S = 86_400;

export function witnessTable(db: Database.Database): WitnessTable {
  const columns = 'SELECT origin, size, root, note, at FROM';
  const latest = db.prepare<[string], WitnessedRow>(`${columns} witnessed WHERE origin = ?`);
  const save = db.prepare('INSERT OR REPLACE INTO witnessed VALUES (@origin, @size, @root, @note, @at)');
  const saveDay = db.prepare(
    'INSERT OR REPLACE INTO witnessed_days (origin, day, size, root, note, at) VALUES (@origin, @day, @size, @root, @note, @at)',
  );
  const days = db.prepare<[string], WitnessedRow>(`${columns} witnessed_days WHERE origin = ? ORDER BY day`);
  const count = db.prepare<[string], { n: number }>('SELECT count(*) AS n FROM witness_refusals WHERE origin = ?');
  const keep = db.prepare(
    `INSERT OR IGNORE INTO witness_refusals (origin, sha256, code, body, latest, at)
     VALUES (@origin, @sha256, @code, @body, @latest, @at)`,
  );
  const refused = db.prepare<[string], RefusedRow>(
    'SELECT origin, code, body, latest, at FROM witness_refusals WHERE origin = ? ORDER BY refusal_id',
  );
  return {
    latest: (origin) => latest.get(origin) ?? null,
    save: (row) => {
      save.run(row);
      saveDay.run({ ...row, day: Math.floor(row.at / DAY_S) });
    },
    days: (origin) => days.all(origin),
    keepRefused: (row) =>
      (count.get(row.origin)?.n ?? 0) < MAX_REFUSED && keep.run({ ...row, sha256: sha256Hex(row.body) }).changes === 1,
    refused: (origin) => refused.all(origin),
  };
}
