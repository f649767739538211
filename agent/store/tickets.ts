// Tickets and what waits to be told of them. Both in one unit: what is told is kept before it leaves.
import type { Db } from './connection.ts';

export interface DeliveryRow {
  /** Event and output: the same pair is never queued twice. */
  readonly eventId: string;
  readonly outputId: string;
  readonly ticketId: string;
  /** JSON of the event. */
  readonly event: string;
  readonly state: 'waiting' | 'sent' | 'dead';
  readonly attempts: number;
  /** Unix seconds, as all times here. */
  readonly queuedAt: number;
  readonly nextAt: number;
  /** Code of the last failure. */
  readonly failure: string | null;
  /** What the other side calls the ticket, where its next message has to name that. */
  readonly reference: string | null;
}

export interface TicketsTable {
  /** JSON of each ticket, oldest first. */
  all(): string[];
  /** Keeps a ticket as it is now, and queues its event for each of the outputs. */
  put(
    ticket: { readonly id: string; readonly key: string; readonly json: string },
    queued: readonly Omit<DeliveryRow, 'state' | 'attempts' | 'nextAt' | 'failure' | 'reference'>[],
  ): void;
  /** Of each output and ticket the oldest one that waits, where its time has come. In the order of queueing. */
  due(now: number): DeliveryRow[];
  /** Reference of the newest message about a ticket that an output took. */
  reference(outputId: string, ticketId: string): string | null;
  settle(
    row: Pick<DeliveryRow, 'eventId' | 'outputId' | 'state' | 'attempts' | 'nextAt' | 'failure' | 'reference'>,
  ): void;
  /** `dead`: of those that were queued since then (Unix seconds). */
  counts(deadSince: number): { readonly waiting: number; readonly dead: number; readonly oldestWaiting: number | null };
  /** Dead letters, newest first. */
  dead(limit: number): DeliveryRow[];
  /** Forgets tickets by id, and deliveries that ended before `before`. */
  forget(ticketIds: readonly string[], before: number): void;
}

const DELIVERY = `event_id AS eventId, output_id AS outputId, ticket_id AS ticketId, event, state, attempts,
  queued_at AS queuedAt, next_at AS nextAt, failure, reference`;

export function ticketsTable(db: Db): TicketsTable {
  const all = db.query<{ json: string }>('SELECT json FROM tickets ORDER BY rowid');
  const put = db.query(
    `INSERT INTO tickets (ticket_id, key, json) VALUES (@id, @key, @json)
     ON CONFLICT (key) DO UPDATE SET ticket_id = excluded.ticket_id, json = excluded.json`,
  );
  const queue = db.query(
    `INSERT INTO deliveries (event_id, output_id, ticket_id, event, state, attempts, queued_at, next_at)
     VALUES (@eventId, @outputId, @ticketId, @event, 'waiting', 0, @queuedAt, @queuedAt) ON CONFLICT DO NOTHING`,
  );
  const due = db.query<DeliveryRow>(
    `SELECT ${DELIVERY} FROM deliveries d WHERE state = 'waiting' AND next_at <= ? AND NOT EXISTS
      (SELECT 1 FROM deliveries e WHERE e.output_id = d.output_id AND e.ticket_id = d.ticket_id
        AND e.state = 'waiting' AND e.id < d.id)
     ORDER BY id`,
  );
  const reference = db.query<{ reference: string }>(
    `SELECT reference FROM deliveries WHERE output_id = ? AND ticket_id = ? AND reference IS NOT NULL ORDER BY id DESC LIMIT 1`,
  );
  const settle = db.query(
    `UPDATE deliveries SET state = @state, attempts = @attempts, next_at = @nextAt, failure = @failure, reference = @reference
     WHERE event_id = @eventId AND output_id = @outputId`,
  );
  const counts = db.query<{ waiting: number; dead: number; oldestWaiting: number | null }>(
    `SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'dead' AND queued_at >= ?) AS dead,
       min(queued_at) FILTER (WHERE state = 'waiting') AS oldestWaiting FROM deliveries`,
  );
  const dead = db.query<DeliveryRow>(
    `SELECT ${DELIVERY} FROM deliveries WHERE state = 'dead' ORDER BY id DESC LIMIT ?`,
  );
  const forgetTicket = db.query('DELETE FROM tickets WHERE ticket_id = ?');
  const forgetDeliveries = db.query("DELETE FROM deliveries WHERE state <> 'waiting' AND queued_at < ?");
  const table = db.query("SELECT 1 FROM sqlite_schema WHERE name = 'tickets'");
  const isThere = (): boolean => table.get() !== undefined;
  return {
    all: () => (isThere() ? all.all().map(({ json }) => json) : []),
    put: (ticket, queued) =>
      db.unit(() => {
        put.run({ ...ticket });
        for (const row of queued) queue.run({ ...row });
      }),
    due: (now) => due.all(now),
    reference: (outputId, ticketId) => reference.get(outputId, ticketId)?.reference ?? null,
    settle: (row) => db.unit(() => void settle.run({ ...row })),
    counts: (deadSince) => (isThere() ? counts.get(deadSince)! : { waiting: 0, dead: 0, oldestWaiting: null }),
    dead: (limit) => (isThere() ? dead.all(limit) : []),
    forget: (ticketIds, before) =>
      db.unit(() => {
        for (const id of ticketIds) forgetTicket.run(id);
        forgetDeliveries.run(before);
      }),
  };
}
