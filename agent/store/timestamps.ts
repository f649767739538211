// RFC 3161 timestamps over checkpoints of our own log, one a day.
import type { Db } from './connection.ts';

export interface TimestampRow {
  readonly origin: string;
  readonly size: number;
  /** Hex. */
  readonly root: string;
  /** DER of the answer, as it came. */
  readonly response: Buffer;
  /** When the authority says, Unix seconds. */
  readonly at: number;
}

export interface TimestampsTable {
  save(row: TimestampRow): void;
  /** The one of the largest size, the newest among equals. */
  latest(origin: string): TimestampRow | null;
  /** Ascending by size. Empty in a file that an earlier version made. */
  all(origin: string): TimestampRow[];
}

export function timestampsTable(db: Db): TimestampsTable {
  const insert = db.query(
    'INSERT INTO timestamps (origin, size, root, response, at) VALUES (@origin, @size, @root, @response, @at)',
  );
  const columns = 'SELECT origin, size, root, response, at FROM timestamps WHERE origin = ?';
  const latest = db.query<TimestampRow>(`${columns} ORDER BY size DESC, id DESC LIMIT 1`);
  // Two at one size say the same; the first one is the older proof.
  const all = db.query<TimestampRow>(`${columns} GROUP BY size HAVING id = min(id) ORDER BY size`);
  const table = db.query("SELECT 1 FROM sqlite_schema WHERE name = 'timestamps'");
  const isThere = (): boolean => table.get() !== undefined;
  return {
    save: ({ origin, size, root, response, at }) =>
      db.unit(() => void insert.run({ origin, size, root, response, at })),
    latest: (origin) => (isThere() ? (latest.get(origin) ?? null) : null),
    all: (origin) => (isThere() ? all.all(origin) : []),
  };
}
