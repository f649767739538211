// A checksum per row. SQLite finds damaged pages by their structure only: a changed letter inside a cell reads as data.
// With a sum in each row, the check at the start finds that too, instead of starting silently on wrong state.
import { crc32 } from 'node:zlib';
import type Database from 'better-sqlite3';

/** SQL function name; a foreign tool that lacks it cannot write the guarded tables unnoticed. */
export const ROW_SUM = 'row_sum';

/** Tables whose `sum` is kept by triggers, and the columns that it covers. Order matters: it is part of the stored value. */
export const SUMMED_TABLES: Readonly<Record<string, readonly string[]>> = {
  meta: ['key', 'value'],
  orders: [
    'order_id',
    'epoch',
    'seq',
    'digest',
    'kind',
    'line',
    'state',
    'outcome',
    'code',
    'sentence',
    'evidence_seq',
    'detail',
    'accepted_at',
    'at',
    'revision',
    'reported',
  ],
  order_floors: ['epoch', 'floor'],
  refusals: ['digest', 'code', 'outcome', 'order_id', 'sentence', 'evidence_seq', 'at', 'reported'],
  authorisations: ['authorisation_id', 'order_digest', 'at'],
  findings: [
    'target_id',
    'check_id',
    'result',
    'facts_digest',
    'recorded_digest',
    'since_seq',
    'baseline_sha256',
    'waiver_id',
    'severity',
    'sentence',
    'last_read_at',
    'runs',
    'runs_since_heartbeat',
    'last_heartbeat_at',
  ],
  roots: ['version', 'digest', 'line'],
  documents: ['kind', 'version', 'digest', 'line', 'at'],
  identity: ['id', 'json'],
  signed_time: ['id', 'server_time', 'boot_ms', 'boot_id'],
  counters: ['name', 'value'],
  pointers: ['origin', 'size'],
  receipts: ['origin', 'size', 'root', 'line', 'at'],
  parked: ['origin', 'code', 'sentence', 'until', 'tries'],
  traffic: ['day', 'sent', 'received'],
  settings: ['key', 'value'],
};

/** The same for tables that came after the first schema; a file from before their migration does not have them yet. */
export const LATER_SUMMED_TABLES: Readonly<Record<string, readonly string[]>> = {
  checkpoints: ['origin', 'size', 'root', 'note', 'at'],
  timestamps: ['id', 'origin', 'size', 'root', 'response', 'at'],
  prunes: ['epoch', 'size', 'bytes', 'removed_bytes', 'receipt_size', 'checkpoint_size', 'at'],
  runbook_runs: [
    'run_id',
    'target_id',
    'runbook_id',
    'runbook_version',
    'runbook_sha256',
    'action',
    'snapshot',
    'detail',
    'state',
    'outcome',
    'ended_at',
    'at',
  ],
  target_identities: ['target_id', 'machine_sid', 'pinned_at', 'other_sid', 'other_at'],
  incidents: [
    'incident_id',
    'target_id',
    'check_id',
    'condition',
    'state',
    'severity',
    'opened_at',
    'changed_at',
    'next_step_at',
    'detail',
  ],
  incident_lines: ['id', 'incident_id', 'at', 'what', 'sentence', 'evidence_seq'],
  tickets: ['ticket_id', 'key', 'json'],
  deliveries: [
    'id',
    'event_id',
    'output_id',
    'ticket_id',
    'event',
    'state',
    'attempts',
    'queued_at',
    'next_at',
    'failure',
    'reference',
  ],
  planner_calls: [
    'call_id',
    'finding_key',
    'endpoint',
    'model',
    'state',
    'code',
    'tokens',
    'micro_cents',
    'retry_at',
    'prompt_sha256',
    'output_sha256',
    'plan',
    'at',
  ],
  planner_texts: ['call_id', 'prompt', 'answer', 'at'],
  learning_patterns: ['pattern_sha256', 'platform', 'check_id', 'shape', 'first_at'],
  learning_cases: [
    'case_key',
    'pattern_sha256',
    'kind',
    'incident_id',
    'tier',
    'runbook_id',
    'runbook_sha256',
    'params',
    'verified',
    'duration_ms',
    'at',
  ],
};

/** Sums that the hot path computes itself: one statement less per append. */
export const INLINE_SUMMED: Readonly<Record<string, readonly string[]>> = {
  entries: ['id', 'kind', 'target_id', 'check_id', 'observed_to', 'leaf'],
  log_state: ['epoch', 'size', 'last_leaf', 'range'],
  tiles: ['id', 'hashes'],
};

/** Newest full tiles whose sums are checked at the start. */
const CHECKED_TILES = 64;

type Cell = string | number | bigint | null | Buffer;

/** CRC-32 over the cells in an unambiguous spelling. Against bit rot and stray writes, not against an attacker. */
export function rowSum(...cells: readonly Cell[]): number {
  let text = '';
  for (const cell of cells) {
    text += Buffer.isBuffer(cell) ? `x${cell.toString('latin1')}\n` : `${JSON.stringify(cell)}\n`;
  }
  return crc32(text);
}

export function registerRowSum(db: Database.Database): void {
  db.function(ROW_SUM, { deterministic: true, varargs: true }, (...cells: Cell[]) => rowSum(...cells));
}

/** Triggers that keep `sum` of one table up to date. The second one names its columns, so that it never fires itself. */
export function sumTriggers(table: string): string {
  const columns = SUMMED_TABLES[table] ?? LATER_SUMMED_TABLES[table] ?? [];
  const value = `${ROW_SUM}(${columns.map((c) => `NEW.${c}`).join(', ')})`;
  const update = `UPDATE ${table} SET sum = ${value} WHERE rowid = NEW.rowid;`;
  return `
    CREATE TRIGGER ${table}_sum_insert AFTER INSERT ON ${table} BEGIN ${update} END;
    CREATE TRIGGER ${table}_sum_update AFTER UPDATE OF ${columns.join(', ')} ON ${table} BEGIN ${update} END;`;
}

/**
 * Name of the first table with a row whose sum does not fit, or null. `entries` and `tiles` are judged on their newest rows,
 * tables of a later schema where they exist.
 */
export function tableWithWrongSum(db: Database.Database, tail: number): string | null {
  const wrong = (table: string, columns: readonly string[], from = table): boolean =>
    db.prepare(`SELECT 1 FROM ${from} WHERE sum IS NOT ${ROW_SUM}(${columns.join(', ')}) LIMIT 1`).get() !== undefined;
  for (const [table, columns] of Object.entries(SUMMED_TABLES)) if (wrong(table, columns)) return table;
  const exists = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
  for (const [table, columns] of Object.entries({ ...LATER_SUMMED_TABLES, ...INLINE_SUMMED })) {
    const newest = { entries: tail, tiles: CHECKED_TILES }[table];
    const from = newest === undefined ? table : `(SELECT * FROM ${table} ORDER BY id DESC LIMIT ${newest})`;
    if (exists.get(table) !== undefined && wrong(table, columns, from)) return table;
  }
  return null;
}
