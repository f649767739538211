import type Database from 'better-sqlite3';

export interface ApplianceStatusRow {
  readonly appliance_id: string;
  readonly epoch: number;
  readonly boot_id: string;
  readonly order_floor: number;
  readonly agent_version: string;
  readonly root_version: number;
  readonly content_version: number | null;
  readonly policy_version: number | null;
  /** JSON of the health that the last check-in reported. */
  readonly health: string;
  readonly last_checkin_at: number;
  readonly revocations_version: number | null;
}

export interface CheckinTable {
  status(applianceId: string): ApplianceStatusRow | null;
  saveStatus(row: ApplianceStatusRow): void;
  /** Highest counter seen of this boot; null for a boot never seen. */
  counter(applianceId: string, bootId: string): number | null;
  saveCounter(applianceId: string, bootId: string, counter: number, at: number): void;
  /** Enrolled and not revoked appliances whose last check-in is older than `before`. */
  silentSince(before: number): string[];
}

export function checkinTable(db: Database.Database): CheckinTable {
  const status = db.prepare<[string], ApplianceStatusRow>('SELECT * FROM appliance_status WHERE appliance_id = ?');
  const save = db.prepare(
    `INSERT OR REPLACE INTO appliance_status VALUES (@appliance_id, @epoch, @boot_id, @order_floor, @agent_version,
       @root_version, @content_version, @policy_version, @health, @last_checkin_at, @revocations_version)`,
  );
  const counter = db.prepare<[string, string], { counter: number }>(
    'SELECT counter FROM boots WHERE appliance_id = ? AND boot_id = ?',
  );
  const saveCounter = db.prepare(
    `INSERT INTO boots VALUES (?, ?, ?, ?, ?) ON CONFLICT (appliance_id, boot_id)
       DO UPDATE SET counter = excluded.counter, last_seen = excluded.last_seen`,
  );
  const silent = db.prepare<[number], { appliance_id: string }>(
    `SELECT appliance_id FROM appliance_status WHERE last_checkin_at < ?
       AND appliance_id NOT IN (SELECT appliance_id FROM revoked_appliances)
       AND NOT EXISTS (SELECT 1 FROM decommissioned_appliances d
         WHERE d.appliance_id = appliance_status.appliance_id AND d.epoch >= appliance_status.epoch)`,
  );
  return {
    status: (applianceId) => status.get(applianceId) ?? null,
    saveStatus: (row) => void save.run(row),
    counter: (applianceId, bootId) => counter.get(applianceId, bootId)?.counter ?? null,
    saveCounter: (applianceId, bootId, value, at) => void saveCounter.run(applianceId, bootId, value, at, at),
    silentSince: (before) => silent.all(before).map((row) => row.appliance_id),
  };
}
