import type Database from 'better-sqlite3';

/** What is known of one stored object of evidence: the index that reads and the audit go by. */
export interface ObjectRow {
  readonly origin: string;
  /** `seq` of its first and of its last line. */
  readonly first: number;
  readonly last: number;
  readonly object_id: string;
  /** Of its bytes, hex. */
  readonly sha256: string;
  readonly bytes: number;
  /** Unix seconds. */
  readonly retain_until: number;
  readonly stored_at: number;
  /** Compact range of the log with this object, hashes in hex one after the other. */
  readonly range: string;
  /** Leaf hash of its last line, hex. */
  readonly last_leaf: string;
}

export interface ObjectTable {
  /** Adds an object at the end; what was known from its first entry on is forgotten: it was lost, and came again. */
  put(row: ObjectRow): void;
  /** Objects that hold any of the entries `from` ≤ seq < `to`, rising. */
  covering(origin: string, from: number, to: number): ObjectRow[];
  /** Objects with `from` ≤ first < `to`, rising. */
  startingIn(origin: string, from: number, to: number): ObjectRow[];
  last(origin: string): ObjectRow | null;
  /** The last object that ends before entry `seq`. */
  before(origin: string, seq: number): ObjectRow | null;
  origins(): string[];
}

export function objectTable(db: Database.Database): ObjectTable {
  const forget = db.prepare('DELETE FROM evidence_objects WHERE origin = ? AND first >= ?');
  const add = db.prepare(
    `INSERT INTO evidence_objects VALUES
       (@origin, @first, @last, @object_id, @sha256, @bytes, @retain_until, @stored_at, @range, @last_leaf)`,
  );
  const put = db.transaction((row: ObjectRow) => {
    forget.run(row.origin, row.first);
    add.run(row);
  });
  const covering = db.prepare<[string, number, number], ObjectRow>(
    'SELECT * FROM evidence_objects WHERE origin = ? AND last >= ? AND first < ? ORDER BY first',
  );
  const starting = db.prepare<[string, number, number], ObjectRow>(
    'SELECT * FROM evidence_objects WHERE origin = ? AND first >= ? AND first < ? ORDER BY first',
  );
  const last = db.prepare<[string], ObjectRow>(
    'SELECT * FROM evidence_objects WHERE origin = ? ORDER BY first DESC LIMIT 1',
  );
  const before = db.prepare<[string, number], ObjectRow>(
    'SELECT * FROM evidence_objects WHERE origin = ? AND last < ? ORDER BY last DESC LIMIT 1',
  );
  const origins = db.prepare<[], { origin: string }>('SELECT DISTINCT origin FROM evidence_objects ORDER BY origin');
  return {
    put: (row) => void put(row),
    covering: (origin, from, to) => (from >= to ? [] : covering.all(origin, from, to)),
    startingIn: (origin, from, to) => starting.all(origin, from, to),
    last: (origin) => last.get(origin) ?? null,
    before: (origin, seq) => before.get(origin, seq) ?? null,
    origins: () => origins.all().map((row) => row.origin),
  };
}
