import type Database from 'better-sqlite3';

export type AlarmKind =
  | 'counter_reused'
  | 'boot_ids_interleaved'
  | 'enrolment_token_used'
  | 'evidence_conflict'
  | 'evidence_damaged'
  | 'evidence_tail_missing'
  | 'appliance_silent';

export interface AlarmRow {
  readonly alarm_id: number;
  readonly kind: AlarmKind;
  /** Appliance id, or log origin for evidence alarms. */
  readonly subject: string;
  readonly detail: string;
  readonly raised_at: number;
  readonly cleared_at: number | null;
}

export interface AlarmTable {
  /** Adds an alarm; one of the same kind, subject and detail that is still open is not repeated. */
  raise(kind: AlarmKind, subject: string, detail: string, at: number): void;
  clear(kind: AlarmKind, subject: string, at: number): void;
  /** Newest first. */
  list(limit: number): AlarmRow[];
}

export function alarmTable(db: Database.Database): AlarmTable {
  const raise = db.prepare(
    `INSERT INTO alarms (kind, subject, detail, raised_at) SELECT @kind, @subject, @detail, @at WHERE NOT EXISTS
       (SELECT 1 FROM alarms WHERE kind = @kind AND subject = @subject AND detail = @detail AND cleared_at IS NULL)`,
  );
  const clear = db.prepare('UPDATE alarms SET cleared_at = ? WHERE kind = ? AND subject = ? AND cleared_at IS NULL');
  const list = db.prepare<[number], AlarmRow>('SELECT * FROM alarms ORDER BY alarm_id DESC LIMIT ?');
  return {
    raise: (kind, subject, detail, at) => void raise.run({ kind, subject, detail, at }),
    clear: (kind, subject, at) => void clear.run(at, kind, subject),
    list: (limit) => list.all(limit),
  };
}
