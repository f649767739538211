import type Database from 'better-sqlite3';

/** What the audit of stored evidence can find. */
export type AuditKind = 'changed' | 'missing' | 'added' | 'hidden' | 'weak';

export interface FindingRow {
  readonly kind: AuditKind;
  readonly origin: string;
  readonly object_id: string;
  readonly sentence: string;
  readonly first_seen_at: number;
  readonly last_seen_at: number;
  /** When a later look found it in order; null while it is not. */
  readonly resolved_at: number | null;
}

/** How far the pass in hand is, and how the last whole one ended. Times are Unix seconds. */
export interface AuditState {
  readonly pass: number;
  readonly pass_started_at: number;
  /** Where to go on: log and first entry; null at the start of a pass. */
  readonly cursor_origin: string | null;
  readonly cursor_first: number;
  readonly objects: number;
  readonly bytes: number;
  readonly last_run_at: number;
  /** Why the last run that came to an end stopped early; null where it did not. */
  readonly last_error: string | null;
  readonly completed_at: number | null;
  readonly completed_objects: number;
  readonly completed_bytes: number;
}

export interface AuditTable {
  /** Null before the first run. */
  state(): AuditState | null;
  save(state: AuditState): void;
  /** Adds a finding, or says that an open one was seen again. */
  found(row: Pick<FindingRow, 'kind' | 'origin' | 'object_id' | 'sentence'>, at: number): void;
  /** What was last seen before `before` in entries of this object is in order now. */
  resolve(origin: string, objectId: string, kinds: readonly AuditKind[], at: number): void;
  /** Resolves the open findings of a log that a whole pass since `since` did not see again. */
  resolveUnseen(since: number, at: number): void;
  /** Open ones first, then the newest. */
  findings(limit: number): FindingRow[];
  /** Logs about which something was ever found, and whether any of it is open. */
  origins(): { origin: string; open: boolean }[];
}

export function auditTable(db: Database.Database): AuditTable {
  const get = db.prepare<[], AuditState & { id: number }>('SELECT * FROM evidence_audit WHERE id = 1');
  const save = db.prepare(
    `INSERT OR REPLACE INTO evidence_audit VALUES (1, @pass, @pass_started_at, @cursor_origin, @cursor_first, @objects,
       @bytes, @last_run_at, @last_error, @completed_at, @completed_objects, @completed_bytes)`,
  );
  const found = db.prepare(
    `INSERT INTO evidence_audit_findings VALUES (@kind, @origin, @object_id, @sentence, @at, @at, NULL)
     ON CONFLICT (kind, origin, object_id) DO UPDATE SET sentence = @sentence, last_seen_at = @at, resolved_at = NULL`,
  );
  const resolve = db.prepare(
    `UPDATE evidence_audit_findings SET resolved_at = ? WHERE resolved_at IS NULL AND origin = ? AND object_id = ?
       AND kind IN (SELECT value FROM json_each(?))`,
  );
  const resolveUnseen = db.prepare(
    'UPDATE evidence_audit_findings SET resolved_at = ? WHERE resolved_at IS NULL AND last_seen_at < ?',
  );
  const findings = db.prepare<[number], FindingRow>(
    'SELECT * FROM evidence_audit_findings ORDER BY resolved_at IS NULL DESC, last_seen_at DESC, object_id LIMIT ?',
  );
  const origins = db.prepare<[], { origin: string; open: number }>(
    'SELECT origin, count(*) - count(resolved_at) AS open FROM evidence_audit_findings GROUP BY origin ORDER BY origin',
  );
  return {
    state: () => {
      const row = get.get();
      if (row === undefined) return null;
      const { id: _id, ...state } = row;
      return state;
    },
    save: (state) => void save.run(state),
    found: (row, at) => void found.run({ ...row, at }),
    resolve: (origin, objectId, kinds, at) => void resolve.run(at, origin, objectId, JSON.stringify(kinds)),
    resolveUnseen: (since, at) => void resolveUnseen.run(at, since),
    findings: (limit) => findings.all(limit),
    origins: () => origins.all().map(({ origin, open }) => ({ origin, open: open > 0 })),
  };
}
