// How far the lines of the log were pruned. The tree stays whole: hashes of what is gone lie in the tiles.
import { AgentError } from '../errors/agent-error.ts';
import type { Db } from './connection.ts';
import { rowOf } from './entries.ts';
import { raiseReadableFrom } from './integrity.ts';
import { NEVER_PRUNED, PRUNED_READABLE_FROM } from './migrations.ts';

export interface PruneRow {
  /** Lines of entries below are gone, but for those that are kept. */
  readonly size: number;
  /** Lengths of all lines below, gone or kept. */
  readonly bytes: number;
  /** Lengths of those that are gone. */
  readonly removedBytes: number;
  /** Of the receipt and of the cosigned checkpoint that allowed it. */
  readonly receiptSize: number;
  readonly checkpointSize: number;
  /** Unix seconds. */
  readonly at: number;
}

export interface PruneStep {
  /** The new bound; the step begins where the one before ended. */
  readonly to: number;
  /** Entries below `to` that stay whatever their kind. */
  readonly keep: readonly number[];
  readonly receiptSize: number;
  readonly checkpointSize: number;
  readonly at: number;
}

export interface PrunesTable {
  /** Null where nothing was pruned, also in a file that an earlier version made. */
  get(epoch: number): PruneRow | null;
  /**
   * Deletes the lines from the last bound up to `to`, but for those in `keep` and of kinds that stay, in one unit. Returns how
   * many. The database itself refuses (`internal`) without a receipt and a cosigned checkpoint of these sizes.
   */
  advance(epoch: number, step: PruneStep): number;
}

const KINDS = NEVER_PRUNED.map((kind) => `'${kind}'`).join(', ');

export function prunesTable(db: Db): PrunesTable {
  const exists = db.query("SELECT 1 FROM sqlite_schema WHERE name = 'prunes'");
  const load = db.query<PruneRow>(
    `SELECT size, bytes, removed_bytes AS removedBytes, receipt_size AS receiptSize, checkpoint_size AS checkpointSize, at
     FROM prunes WHERE epoch = ?`,
  );
  const isGoing = `kind NOT IN (${KINDS}) AND id NOT IN (SELECT value FROM json_each(@keep))`;
  const measure = db.query<{ n: number; bytes: number; removed: number }>(
    `SELECT count(*) AS n, coalesce(sum(length(line)), 0) AS bytes,
       coalesce(sum(CASE WHEN ${isGoing} THEN length(line) ELSE 0 END), 0) AS removed
     FROM entries WHERE id >= @from AND id < @to`,
  );
  const save = db.query(
    `INSERT INTO prunes (epoch, size, bytes, removed_bytes, receipt_size, checkpoint_size, at)
     VALUES (@epoch, @size, @bytes, @removedBytes, @receiptSize, @checkpointSize, @at)
     ON CONFLICT DO UPDATE SET size = excluded.size, bytes = excluded.bytes, removed_bytes = excluded.removed_bytes,
       receipt_size = excluded.receipt_size, checkpoint_size = excluded.checkpoint_size, at = excluded.at`,
  );
  const remove = db.query(`DELETE FROM entries WHERE id >= @from AND id < @to AND ${isGoing}`);
  const get = (epoch: number): PruneRow | null => (exists.get() === undefined ? null : (load.get(epoch) ?? null));

  return {
    get,
    advance: (epoch, { to, keep, receiptSize, checkpointSize, at }) =>
      db.unit(() => {
        const before = get(epoch);
        const first = before?.size ?? 0;
        const rows = {
          from: rowOf(epoch, first),
          to: rowOf(epoch, to),
          keep: JSON.stringify(keep.map((seq) => rowOf(epoch, seq))),
        };
        const { n, bytes, removed } = measure.get(rows) ?? { n: 0, bytes: 0, removed: 0 };
        if (n !== to - first || n === 0) {
          throw new AgentError('store_corrupt', 'entries are missing where the evidence log was to be pruned', {
            place: db.path,
            details: { from: first, to, found: n },
          });
        }
        save.run({
          epoch,
          size: to,
          bytes: (before?.bytes ?? 0) + bytes,
          removedBytes: (before?.removedBytes ?? 0) + removed,
          receiptSize,
          checkpointSize,
          at,
        });
        raiseReadableFrom(db, PRUNED_READABLE_FROM);
        return remove.run(rows).changes;
      }),
  };
}
