import type Database from 'better-sqlite3';

export interface ReceiptRow {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  /** The signed receipt. */
  readonly line: string;
  readonly stored_at: number;
}

export interface UnverifiedRow {
  readonly seq: number;
  readonly code: string;
}

export interface EvidenceTable {
  /** Keeps the first receipt of each size; a later one of the same size says the same. */
  addReceipt(row: ReceiptRow): void;
  latestReceipt(origin: string): ReceiptRow | null;
  /** By rising size. */
  receipts(origin: string): ReceiptRow[];
  /** Size and root of every receipt, by rising size. */
  promises(origin: string): { size: number; root: string }[];
  origins(): string[];
  /** Replaces what is known of entries `from` ≤ seq < `to`. */
  setUnverified(origin: string, from: number, to: number, rows: readonly UnverifiedRow[], at: number): void;
  unverified(origin: string, from: number, to: number): UnverifiedRow[];
  countUnverified(origin: string): number;
}

export function evidenceTable(db: Database.Database): EvidenceTable {
  const addReceipt = db.prepare('INSERT OR IGNORE INTO receipts VALUES (@origin, @size, @root, @line, @stored_at)');
  const latest = db.prepare<[string], ReceiptRow>('SELECT * FROM receipts WHERE origin = ? ORDER BY size DESC LIMIT 1');
  const receipts = db.prepare<[string], ReceiptRow>('SELECT * FROM receipts WHERE origin = ? ORDER BY size');
  const promises = db.prepare<[string], { size: number; root: string }>(
    'SELECT size, root FROM receipts WHERE origin = ? ORDER BY size',
  );
  const origins = db.prepare<[], { origin: string }>('SELECT DISTINCT origin FROM receipts ORDER BY origin');
  const dropUnverified = db.prepare('DELETE FROM unverified_entries WHERE origin = ? AND seq >= ? AND seq < ?');
  const addUnverified = db.prepare('INSERT INTO unverified_entries VALUES (?, ?, ?, ?)');
  const unverified = db.prepare<[string, number, number], UnverifiedRow>(
    'SELECT seq, code FROM unverified_entries WHERE origin = ? AND seq >= ? AND seq < ? ORDER BY seq',
  );
  const count = db.prepare<[string], { n: number }>('SELECT count(*) AS n FROM unverified_entries WHERE origin = ?');
  const replace = db.transaction(
    (origin: string, from: number, to: number, rows: readonly UnverifiedRow[], at: number) => {
      dropUnverified.run(origin, from, to);
      for (const row of rows) addUnverified.run(origin, row.seq, row.code, at);
    },
  );
  return {
    addReceipt: (row) => void addReceipt.run(row),
    latestReceipt: (origin) => latest.get(origin) ?? null,
    receipts: (origin) => receipts.all(origin),
    promises: (origin) => promises.all(origin),
    origins: () => origins.all().map((row) => row.origin),
    setUnverified: (origin, from, to, rows, at) => {
      if (rows.length > 0 || unverified.get(origin, from, to) !== undefined) replace(origin, from, to, rows, at);
    },
    unverified: (origin, from, to) => unverified.all(origin, from, to),
    countUnverified: (origin) => count.get(origin)?.n ?? 0,
  };
}
