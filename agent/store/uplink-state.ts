// How far Central Command has our evidence, what it signed for, and what holds an upload back.
import type { Db } from './connection.ts';

export interface ReceiptRow {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly line: string;
  /** Unix seconds. */
  readonly at: number;
}

export interface ParkedRow {
  readonly code: string;
  readonly sentence: string;
  /** Next try, Unix seconds. */
  readonly until: number;
  readonly tries: number;
}

export interface TrafficRow {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  readonly sent: number;
  readonly received: number;
}

export interface UplinkTable {
  /** A number that was never returned before, also across restarts; the first is 1. */
  nextCounter(): number;
  /** Entries 0 … pointer−1 of `origin` are at Central Command as far as we know. */
  pointer(origin: string): number;
  setPointer(origin: string, size: number): void;
  saveReceipt(receipt: ReceiptRow): void;
  /** The receipt for the largest size, the newest among equals. */
  latestReceipt(origin: string): ReceiptRow | null;
  /** Ascending by size. */
  receipts(origin: string): ReceiptRow[];
  /** Those with above < size < below, the largest first. */
  receiptsBetween(origin: string, above: number, below: number, limit: number): ReceiptRow[];
  park(origin: string, reason: ParkedRow): void;
  parked(origin: string): ParkedRow | null;
  unpark(origin: string): void;
  addBytes(sent: number, received: number, dayUtc: number): void;
  /** Sums over all days that are kept. */
  bytes(): { sent: number; received: number };
  /** Oldest day first. */
  traffic(): TrafficRow[];
}

/** Traffic is kept for this many days. */
const TRAFFIC_DAYS = 400;

export function uplinkTable(db: Db): UplinkTable {
  const next = db.query<{ value: number }>(
    `INSERT INTO counters (name, value) VALUES ('checkin', 1)
     ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value`,
  );
  const pointer = db.query<{ size: number }>('SELECT size FROM pointers WHERE origin = ?');
  const setPointer = db.query(
    'INSERT INTO pointers (origin, size) VALUES (?, ?) ON CONFLICT DO UPDATE SET size = excluded.size',
  );
  const saveReceipt = db.query(
    'INSERT INTO receipts (origin, size, root, line, at) VALUES (@origin, @size, @root, @line, @at)',
  );
  const receiptColumns = 'SELECT origin, size, root, line, at FROM receipts WHERE origin = ?';
  const latest = db.query<ReceiptRow>(`${receiptColumns} ORDER BY size DESC, id DESC LIMIT 1`);
  const receipts = db.query<ReceiptRow>(`${receiptColumns} ORDER BY size, id`);
  const between = db.query<ReceiptRow>(
    `${receiptColumns} AND size > ? AND size < ? ORDER BY size DESC, id DESC LIMIT ?`,
  );
  const sameReceipt = db.query('SELECT 1 FROM receipts WHERE origin = ? AND size = ? AND line = ?');
  const park = db.query(
    `INSERT INTO parked (origin, code, sentence, until, tries) VALUES (@origin, @code, @sentence, @until, @tries)
     ON CONFLICT DO UPDATE SET code = excluded.code, sentence = excluded.sentence, until = excluded.until,
       tries = excluded.tries`,
  );
  const parked = db.query<ParkedRow>('SELECT code, sentence, until, tries FROM parked WHERE origin = ?');
  const unpark = db.query('DELETE FROM parked WHERE origin = ?');
  const addBytes = db.query(
    `INSERT INTO traffic (day, sent, received) VALUES (@day, @sent, @received)
     ON CONFLICT DO UPDATE SET sent = sent + excluded.sent, received = received + excluded.received`,
  );
  const forget = db.query('DELETE FROM traffic WHERE day < ?');
  const traffic = db.query<TrafficRow>('SELECT day, sent, received FROM traffic ORDER BY day');
  const bytes = db.query<{ sent: number; received: number }>(
    'SELECT coalesce(sum(sent), 0) AS sent, coalesce(sum(received), 0) AS received FROM traffic',
  );

  return {
    nextCounter: () => db.unit(() => next.get()?.value ?? 0),
    pointer: (origin) => pointer.get(origin)?.size ?? 0,
    setPointer: (origin, size) => void setPointer.run(origin, size),
    saveReceipt: ({ origin, size, root, line, at }) => {
      if (sameReceipt.get(origin, size, line) === undefined) saveReceipt.run({ origin, size, root, line, at });
    },
    latestReceipt: (origin) => latest.get(origin) ?? null,
    receipts: (origin) => receipts.all(origin),
    receiptsBetween: (origin, above, below, limit) => between.all(origin, above, below, limit),
    park: (origin, { code, sentence, until, tries }) => void park.run({ origin, code, sentence, until, tries }),
    parked: (origin) => parked.get(origin) ?? null,
    unpark: (origin) => void unpark.run(origin),
    addBytes: (sent, received, dayUtc) =>
      db.unit(() => {
        addBytes.run({ day: dayUtc, sent, received });
        forget.run(dayUtc - TRAFFIC_DAYS);
      }),
    bytes: () => bytes.get() ?? { sent: 0, received: 0 },
    traffic: () => traffic.all(),
  };
}
