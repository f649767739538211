// Sealed recovery keys of appliances. Each appliance has its own; none reaches another's rows, and no row is changed or removed.
import type Database from 'better-sqlite3';

export interface RecoveryKeyRow {
  readonly appliance_id: string;
  /** Hex, of the file. */
  readonly sha256: string;
  /** Of the appliance, when it first came. */
  readonly epoch: number;
  /** As the appliance said it; null where it could not. */
  readonly luks_uuid: string | null;
  /** The file of age, byte for byte. */
  readonly sealed: Buffer;
  /** Unix seconds by the clock of Central Command. */
  readonly received_at: number;
}

export interface RecoveryKeyTable {
  has(applianceId: string, sha256: string): boolean;
  /** Those that came in one epoch. */
  count(applianceId: string, epoch: number): number;
  add(row: RecoveryKeyRow): void;
  /** Newest first. */
  list(applianceId: string): RecoveryKeyRow[];
}

export function recoveryKeyTable(db: Database.Database): RecoveryKeyTable {
  const has = db.prepare<[string, string], { n: number }>(
    'SELECT count(*) AS n FROM recovery_keys WHERE appliance_id = ? AND sha256 = ?',
  );
  const count = db.prepare<[string, number], { n: number }>(
    'SELECT count(*) AS n FROM recovery_keys WHERE appliance_id = ? AND epoch = ?',
  );
  const add = db.prepare(
    'INSERT INTO recovery_keys VALUES (@appliance_id, @sha256, @epoch, @luks_uuid, @sealed, @received_at)',
  );
  const list = db.prepare<[string], RecoveryKeyRow>(
    'SELECT * FROM recovery_keys WHERE appliance_id = ? ORDER BY received_at DESC, rowid DESC',
  );
  return {
    has: (applianceId, sha256) => (has.get(applianceId, sha256)?.n ?? 0) > 0,
    count: (applianceId, epoch) => count.get(applianceId, epoch)?.n ?? 0,
    add: (row) => void add.run(row),
    list: (applianceId) => list.all(applianceId),
  };
}
