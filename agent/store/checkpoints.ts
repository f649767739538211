// Checkpoints of our own log that a witness cosigned: the last of each day, and those whose size a receipt names.
import type { Db } from './connection.ts';

export interface CheckpointRow {
  readonly origin: string;
  readonly size: number;
  /** Hex. */
  readonly root: string;
  /** The signed note, byte for byte: our signature and the witness's. */
  readonly note: string;
  /** When the witness cosigned it, Unix seconds. */
  readonly at: number;
}

export interface CheckpointsTable {
  /** Adds one and drops those of the same day (UTC) that nothing refers to. */
  save(checkpoint: CheckpointRow): void;
  /** The one of the largest size, the newest among equals. */
  latest(origin: string): CheckpointRow | null;
  /** Ascending by size, then time. Empty in a file that an earlier version made. */
  all(origin: string): CheckpointRow[];
}

const DAY_S = 86_400;

export function checkpointsTable(db: Db): CheckpointsTable {
  const insert = db.query(
    'INSERT INTO checkpoints (origin, size, root, note, at) VALUES (@origin, @size, @root, @note, @at)',
  );
  const thin = db.query(
    `DELETE FROM checkpoints WHERE origin = @origin AND id <> @id AND at >= @from AND at < @to AND NOT EXISTS
       (SELECT 1 FROM receipts WHERE receipts.origin = checkpoints.origin AND receipts.size = checkpoints.size
          AND checkpoints.id = (SELECT max(id) FROM checkpoints c WHERE c.origin = @origin AND c.size = receipts.size))`,
  );
  const columns = 'SELECT origin, size, root, note, at FROM checkpoints WHERE origin = ?';
  const latest = db.query<CheckpointRow>(`${columns} ORDER BY size DESC, at DESC, id DESC LIMIT 1`);
  const all = db.query<CheckpointRow>(`${columns} ORDER BY size, at, id`);
  const table = db.query("SELECT 1 FROM sqlite_schema WHERE name = 'checkpoints'");
  return {
    save: ({ origin, size, root, note, at }) =>
      db.unit(() => {
        const { lastInsertRowid } = insert.run({ origin, size, root, note, at });
        const from = at - (at % DAY_S);
        thin.run({ origin, id: lastInsertRowid, from, to: from + DAY_S });
      }),
    latest: (origin) => latest.get(origin) ?? null,
    all: (origin) => (table.get() === undefined ? [] : all.all(origin)),
  };
}
