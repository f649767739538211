// The order journal: what was accepted and became of it, what was refused, the floor, used authorisations.
import type { Db } from './connection.ts';

/** `accepted` → `started` → (`handed_over` →) `result`. */
export type OrderState = 'accepted' | 'started' | 'handed_over' | 'result';

export interface NewOrder {
  readonly orderId: string;
  readonly epoch: number;
  readonly seq: number;
  /** SHA-256 of the order's payload bytes, hex. */
  readonly digest: string;
  readonly kind: string;
  readonly line: string;
  readonly state: 'accepted';
  /** Entry that records the acceptance. */
  readonly evidenceSeq: number;
  /** Unix seconds. */
  readonly at: number;
}

export interface OrderRow extends Omit<NewOrder, 'state' | 'evidenceSeq'> {
  readonly state: OrderState;
  readonly outcome: string | null;
  readonly code: string | null;
  readonly sentence: string | null;
  readonly evidenceSeq: number | null;
  /** JSON of the handler: what a self-ending order expects of the next start. */
  readonly detail: string | null;
  readonly acceptedAt: number;
  /** 1 when the order's result was in an answered check-in: Central Command has no reason to send it again. */
  readonly endReported: 0 | 1;
}

/** What is not named stays as it was. */
export interface OrderChange {
  readonly state: OrderState;
  readonly outcome?: string;
  readonly code?: string;
  readonly sentence?: string;
  readonly evidenceSeq?: number;
  readonly at: number;
  readonly detail?: string;
}

export interface Refusal {
  readonly digest: string;
  readonly code: string;
  readonly outcome: 'rejected' | 'expired';
  /** Null where the payload could not be read that far. */
  readonly orderId: string | null;
  readonly sentence: string;
  readonly evidenceSeq: number;
  readonly at: number;
}
export type RefusalRow = Refusal;

/** The fields of an order report of the check-in, and the key that `markReported` takes back. */
export interface ReportRow {
  readonly key: string;
  readonly order_id: string | null;
  readonly payload_sha256: string;
  readonly state: OrderState | 'refused';
  readonly outcome: string | null;
  readonly code: string | null;
  readonly evidence_seq: number | null;
  readonly at: number;
}

export interface OrdersTable {
  insert(order: NewOrder): void;
  byId(orderId: string): OrderRow | null;
  byDigest(digest: string): OrderRow | null;
  setState(orderId: string, change: OrderChange): void;
  /** Ascending by epoch and seq. */
  inStates(states: readonly OrderState[]): OrderRow[];
  /** Newest first. */
  list(limit: number): OrderRow[];
  /** Highest order seq decided on in `epoch`; 0 before the first. */
  floor(epoch: number): number;
  /** Never lowers the floor. */
  raiseFloor(epoch: number, seq: number): void;
  /** One row per (digest, code); a second call for the same pair changes nothing. */
  recordRefusal(refusal: Refusal): void;
  refusal(digest: string, code: string): RefusalRow | null;
  /** Newest first. */
  refusals(limit: number): RefusalRow[];
  /** Single use: a second use of the id is a defect of the caller and throws. */
  useAuthorisation(id: string, orderDigest: string, at: number): void;
  /** Ids that were used by any order, or by any but the one with this digest. */
  usedAuthorisations(exceptOrderDigest?: string): string[];
  /** Orders and refusals whose latest state was in no answered check-in yet, oldest first. */
  unreported(limit: number): ReportRow[];
  /** Keys of a state that was overtaken since do nothing: the newer state is still to be reported. */
  markReported(keys: readonly string[]): void;
}

const ORDER = `order_id AS orderId, epoch, seq, digest, kind, line, state, outcome, code, sentence,
  evidence_seq AS evidenceSeq, detail, accepted_at AS acceptedAt, at,
  (state = 'result' AND reported >= revision) AS endReported`;
const REFUSAL = 'digest, code, outcome, order_id AS orderId, sentence, evidence_seq AS evidenceSeq, at';

export function ordersTable(db: Db): OrdersTable {
  const insert = db.query(
    `INSERT INTO orders (order_id, epoch, seq, digest, kind, line, state, evidence_seq, accepted_at, at,
       revision, reported)
     VALUES (@orderId, @epoch, @seq, @digest, @kind, @line, 'accepted', @evidenceSeq, @at, @at, 1, 0)`,
  );
  const byId = db.query<OrderRow>(`SELECT ${ORDER} FROM orders WHERE order_id = ?`);
  const byDigest = db.query<OrderRow>(`SELECT ${ORDER} FROM orders WHERE digest = ?`);
  const inStates = db.query<OrderRow>(
    `SELECT ${ORDER} FROM orders WHERE state IN (SELECT value FROM json_each(?)) ORDER BY epoch, seq`,
  );
  const newest = db.query<OrderRow>(`SELECT ${ORDER} FROM orders ORDER BY epoch DESC, seq DESC LIMIT ?`);
  const setState = db.query(
    `UPDATE orders SET state = @state, outcome = coalesce(@outcome, outcome), code = coalesce(@code, code),
       sentence = coalesce(@sentence, sentence), evidence_seq = coalesce(@evidenceSeq, evidence_seq),
       detail = coalesce(@detail, detail), at = @at, revision = revision + 1 WHERE order_id = @orderId`,
  );
  const floor = db.query<{ floor: number }>('SELECT floor FROM order_floors WHERE epoch = ?');
  const raise = db.query(
    `INSERT INTO order_floors (epoch, floor) VALUES (?, ?)
     ON CONFLICT DO UPDATE SET floor = excluded.floor WHERE excluded.floor > floor`,
  );
  const refuse = db.query(
    `INSERT INTO refusals (digest, code, outcome, order_id, sentence, evidence_seq, at, reported)
     VALUES (@digest, @code, @outcome, @orderId, @sentence, @evidenceSeq, @at, 0) ON CONFLICT DO NOTHING`,
  );
  const refusal = db.query<RefusalRow>(`SELECT ${REFUSAL} FROM refusals WHERE digest = ? AND code = ?`);
  const refusals = db.query<RefusalRow>(`SELECT ${REFUSAL} FROM refusals ORDER BY id DESC LIMIT ?`);
  const use = db.query('INSERT INTO authorisations (authorisation_id, order_digest, at) VALUES (?, ?, ?)');
  const used = db.query<{ id: string }>(
    'SELECT authorisation_id AS id FROM authorisations WHERE order_digest IS NOT ? ORDER BY rowid',
  );
  const unreported = db.query<ReportRow>(
    `SELECT 'order ' || revision || ' ' || order_id AS key, order_id, digest AS payload_sha256, state, outcome, code,
       evidence_seq, at FROM orders WHERE reported < revision
     UNION ALL
     SELECT 'refusal ' || id || ' ', order_id, digest, 'refused', outcome, code, evidence_seq, at
       FROM refusals WHERE reported = 0
     ORDER BY at, key LIMIT ?`,
  );
  const reportOrder = db.query('UPDATE orders SET reported = @n WHERE order_id = @id AND reported < @n');
  const reportRefusal = db.query('UPDATE refusals SET reported = 1 WHERE id = ?');

  return {
    insert: ({ orderId, epoch, seq, digest, kind, line, evidenceSeq, at }) =>
      void insert.run({ orderId, epoch, seq, digest, kind, line, evidenceSeq, at }),
    byId: (orderId) => byId.get(orderId) ?? null,
    byDigest: (digest) => byDigest.get(digest) ?? null,
    setState: (
      orderId,
      { state, outcome = null, code = null, sentence = null, evidenceSeq = null, at, detail = null },
    ) => void setState.run({ orderId, state, outcome, code, sentence, evidenceSeq, at, detail }),
    inStates: (states) => inStates.all(JSON.stringify(states)),
    list: (limit) => newest.all(limit),
    floor: (epoch) => floor.get(epoch)?.floor ?? 0,
    raiseFloor: (epoch, seq) => void raise.run(epoch, seq),
    recordRefusal: ({ digest, code, outcome, orderId, sentence, evidenceSeq, at }) =>
      void refuse.run({ digest, code, outcome, orderId, sentence, evidenceSeq, at }),
    refusal: (digest, code) => refusal.get(digest, code) ?? null,
    refusals: (limit) => refusals.all(limit),
    useAuthorisation: (id, orderDigest, at) => void use.run(id, orderDigest, at),
    usedAuthorisations: (exceptOrderDigest) => used.all(exceptOrderDigest ?? null).map(({ id }) => id),
    unreported: (limit) => unreported.all(limit),
    markReported: (keys) =>
      db.unit(() => {
        for (const key of keys) {
          const [what, number, id = ''] = key.split(' ');
          if (what === 'order') reportOrder.run({ id, n: Number(number) });
          else reportRefusal.run(Number(number));
        }
      }),
  };
}
