import type Database from 'better-sqlite3';
import type { OrderReport } from '../../agent/wire/schemas/order.ts';

export interface OrderRow {
  readonly order_id: string;
  readonly appliance_id: string;
  readonly epoch: number;
  readonly seq: number;
  /** SHA-256 of the payload. */
  readonly digest: string;
  readonly kind: string;
  readonly class: string;
  /** The signed envelope. */
  readonly line: string;
  readonly issued_at: number;
  readonly expires_at: number;
  /** Name of the operating system's user who issued it. */
  readonly issued_by: string;
}

export interface ReportRow {
  readonly appliance_id: string;
  readonly payload_sha256: string;
  readonly order_id: string | null;
  readonly state: string;
  /** Empty when the report named none. */
  readonly outcome: string;
  readonly code: string;
  readonly evidence_seq: number | null;
  readonly at: number;
  readonly received_at: number;
}

export interface OrderTable {
  /** The audit table refuses every later change. */
  add(row: OrderRow): void;
  highestSeq(applianceId: string, epoch: number): number;
  /** Neither expired nor finally reported, by rising seq. */
  outstanding(applianceId: string, epoch: number, now: number, limit: number): OrderRow[];
  /** Digests of all that are not expired, whatever was reported of them. */
  alive(applianceId: string, now: number): string[];
  list(limit: number, applianceId?: string): OrderRow[];
  /** Keeps a report once, however often it is repeated. */
  addReport(applianceId: string, report: OrderReport, receivedAt: number): void;
  /** Oldest first. */
  reports(applianceId: string, payloadSha256: string): ReportRow[];
  /** Reports about payloads that this Central never issued: refusals of forged or foreign orders. Newest first. */
  foreignReports(limit: number): ReportRow[];
}

/** An order is done with when it was refused or has a result that is not merely put off. */
const FINAL = `(r.state = 'refused' OR (r.state = 'result' AND r.outcome <> 'deferred'))`;

export function orderTable(db: Database.Database): OrderTable {
  const add = db.prepare(
    `INSERT INTO order_audit VALUES (@order_id, @appliance_id, @epoch, @seq, @digest, @kind, @class, @line, @issued_at,
       @expires_at, @issued_by)`,
  );
  const highest = db.prepare<[string, number], { seq: number | null }>(
    'SELECT max(seq) AS seq FROM order_audit WHERE appliance_id = ? AND epoch = ?',
  );
  const outstanding = db.prepare<[string, number, number, number], OrderRow>(
    `SELECT * FROM order_audit o WHERE appliance_id = ? AND epoch = ? AND expires_at > ? AND NOT EXISTS
       (SELECT 1 FROM order_reports r WHERE r.appliance_id = o.appliance_id AND r.payload_sha256 = o.digest AND ${FINAL})
     ORDER BY seq LIMIT ?`,
  );
  const alive = db
    .prepare<[string, number], string>('SELECT digest FROM order_audit WHERE appliance_id = ? AND expires_at > ?')
    .pluck();
  const listAll = db.prepare<[number], OrderRow>('SELECT * FROM order_audit ORDER BY rowid DESC LIMIT ?');
  const listOne = db.prepare<[string, number], OrderRow>(
    'SELECT * FROM order_audit WHERE appliance_id = ? ORDER BY rowid DESC LIMIT ?',
  );
  const addReport = db.prepare(
    `INSERT OR IGNORE INTO order_reports
       (appliance_id, payload_sha256, order_id, state, outcome, code, evidence_seq, at, received_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const reports = db.prepare<[string, string], ReportRow>(
    'SELECT * FROM order_reports WHERE appliance_id = ? AND payload_sha256 = ? ORDER BY report_id',
  );
  const foreign = db.prepare<[number], ReportRow>(
    `SELECT * FROM order_reports r WHERE NOT EXISTS
       (SELECT 1 FROM order_audit o WHERE o.digest = r.payload_sha256 AND o.appliance_id = r.appliance_id)
     ORDER BY report_id DESC LIMIT ?`,
  );
  return {
    add: (row) => void add.run(row),
    highestSeq: (applianceId, epoch) => highest.get(applianceId, epoch)?.seq ?? 0,
    outstanding: (applianceId, epoch, now, limit) => outstanding.all(applianceId, epoch, now, limit),
    alive: (applianceId, now) => alive.all(applianceId, now),
    list: (limit, applianceId) => (applianceId === undefined ? listAll.all(limit) : listOne.all(applianceId, limit)),
    addReport: (applianceId, r, receivedAt) =>
      void addReport.run(
        applianceId,
        r.payload_sha256,
        r.order_id,
        r.state,
        r.outcome ?? '',
        r.code ?? '',
        r.evidence_seq,
        r.at,
        receivedAt,
      ),
    reports: (applianceId, digest) => reports.all(applianceId, digest),
    foreignReports: (limit) => foreign.all(limit),
  };
}
