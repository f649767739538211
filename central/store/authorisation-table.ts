import type Database from 'better-sqlite3';

export interface AuthorisationRow {
  readonly authorisation_id: string;
  readonly appliance_id: string;
  /** SHA-256 of the payload. */
  readonly digest: string;
  readonly kind: string;
  /** The envelope with the signatures of everybody who signed. */
  readonly line: string;
  /** Space between them. */
  readonly persons: string;
  readonly not_after: number;
  readonly published_at: number;
  readonly withdrawn_at: number | null;
  readonly withdrawn_by: string | null;
}

export interface AuthorisationTable {
  /** A repeated id stays as it stands. @returns whether it is new */
  add(row: Omit<AuthorisationRow, 'withdrawn_at' | 'withdrawn_by'>): boolean;
  byId(id: string): AuthorisationRow | null;
  /** Neither withdrawn nor past its date, the oldest first. */
  open(applianceId: string, now: number): AuthorisationRow[];
  /** All of one appliance, newest first. */
  of(applianceId: string): AuthorisationRow[];
  /** Newest first. */
  list(limit: number): AuthorisationRow[];
  withdraw(id: string, by: string, at: number): void;
  /** Digests of the orders that embed it, the newest first. */
  orders(id: string): string[];
  addOrder(id: string, orderDigest: string): void;
}

export function authorisationTable(db: Database.Database): AuthorisationTable {
  const add = db.prepare(
    `INSERT OR IGNORE INTO authorisations VALUES (@authorisation_id, @appliance_id, @digest, @kind, @line, @persons,
       @not_after, @published_at, NULL, NULL)`,
  );
  const byId = db.prepare<[string], AuthorisationRow>('SELECT * FROM authorisations WHERE authorisation_id = ?');
  const open = db.prepare<[string, number], AuthorisationRow>(
    `SELECT * FROM authorisations WHERE appliance_id = ? AND withdrawn_at IS NULL AND not_after > ?
       ORDER BY published_at, authorisation_id`,
  );
  const list = db.prepare<[number], AuthorisationRow>(
    'SELECT * FROM authorisations ORDER BY published_at DESC, authorisation_id LIMIT ?',
  );
  const of = db.prepare<[string], AuthorisationRow>(
    'SELECT * FROM authorisations WHERE appliance_id = ? ORDER BY published_at DESC, authorisation_id',
  );
  const withdraw = db.prepare(
    'UPDATE authorisations SET withdrawn_at = ?, withdrawn_by = ? WHERE authorisation_id = ? AND withdrawn_at IS NULL',
  );
  const orders = db
    .prepare<[string], string>(
      'SELECT order_digest FROM authorised_orders WHERE authorisation_id = ? ORDER BY rowid DESC',
    )
    .pluck();
  const addOrder = db.prepare('INSERT INTO authorised_orders VALUES (?, ?)');
  return {
    add: (row) => add.run(row).changes === 1,
    byId: (id) => byId.get(id) ?? null,
    open: (applianceId, now) => open.all(applianceId, now),
    of: (applianceId) => of.all(applianceId),
    list: (limit) => list.all(limit),
    withdraw: (id, by, at) => void withdraw.run(at, by, id),
    orders: (id) => orders.all(id),
    addOrder: (id, orderDigest) => void addOrder.run(id, orderDigest),
  };
}
