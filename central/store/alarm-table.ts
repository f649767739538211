import type Database from 'better-sqlite3';

export type AlarmKind =
  | 'counter_reused'
  | 'boot_ids_interleaved'
  | 'enrolment_token_used'
  /** A second device claims as a machine that people expect; they have to compare fingerprints. */
  | 'enrolment_contested'
  /** A second device came with a claim code that is not its own. */
  | 'claim_code_reused'
  /** Somebody tried codes that are not open; cleared when the lock ends or a person lifts it. */
  | 'claim_locked'
  | 'evidence_conflict'
  | 'evidence_damaged'
  | 'evidence_tail_missing'
  /** Evidence cannot be stored now; cleared by the next that is. */
  | 'evidence_store_failing'
  /** The audit found something about stored objects; cleared by a whole pass that finds nothing. */
  | 'evidence_audit'
  | 'log_rewound'
  | 'log_forked'
  | 'witness_refused'
  | 'witness_set_back'
  /** An appliance has taken a later trust root than is in force here: a backup from before it was put back. */
  | 'root_set_back'
  | 'appliance_silent'
  /** An appliance opened an epoch of its log itself; cleared by people who confirm it. */
  | 'epoch_provisional'
  /** What is stored of an appliance's targets cannot be sealed: changed in the database, or its key is gone. */
  | 'targets_not_sealed'
  /** No alarm but a record, cleared as it is written: a person has looked. */
  | 'appliance_vouched';

/** What says that two machines have the keys of one appliance. They stay open until a person vouches for it. */
export const COPY_ALARMS: readonly AlarmKind[] = ['counter_reused', 'boot_ids_interleaved'];

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
  /** Whether an alarm of one of these kinds about the subject is open. */
  isOpen(kinds: readonly AlarmKind[], subject: string): boolean;
  /** Newest first. */
  list(limit: number): AlarmRow[];
}

export function alarmTable(db: Database.Database): AlarmTable {
  const raise = db.prepare(
    `INSERT INTO alarms (kind, subject, detail, raised_at) SELECT @kind, @subject, @detail, @at WHERE NOT EXISTS
       (SELECT 1 FROM alarms WHERE kind = @kind AND subject = @subject AND detail = @detail AND cleared_at IS NULL)`,
  );
  const clear = db.prepare('UPDATE alarms SET cleared_at = ? WHERE kind = ? AND subject = ? AND cleared_at IS NULL');
  const open = db.prepare<[string, string], { n: number }>(
    `SELECT count(*) AS n FROM alarms
     WHERE subject = ? AND cleared_at IS NULL AND kind IN (SELECT value FROM json_each(?))`,
  );
  const list = db.prepare<[number], AlarmRow>('SELECT * FROM alarms ORDER BY alarm_id DESC LIMIT ?');
  return {
    raise: (kind, subject, detail, at) => void raise.run({ kind, subject, detail, at }),
    clear: (kind, subject, at) => void clear.run(at, kind, subject),
    isOpen: (kinds, subject) => (open.get(subject, JSON.stringify(kinds))?.n ?? 0) > 0,
    list: (limit) => list.all(limit),
  };
}
