// Tickets as appliances told them last. Each appliance has ids of its own; none reaches another's rows.
import type Database from 'better-sqlite3';

export interface TicketRow {
  readonly appliance_id: string;
  readonly ticket_id: string;
  readonly revision: number;
  /** Hex SHA-256 of the payload. */
  readonly digest: string;
  readonly state: 'open' | 'settling' | 'closed';
  /** The envelope as the appliance signed it. */
  readonly line: string;
  /** Unix seconds by the clock of Central Command. */
  readonly first_received_at: number;
  readonly received_at: number;
}

export interface TicketTable {
  get(applianceId: string, ticketId: string): TicketRow | null;
  /** Of every appliance that has a ticket with this id. */
  byId(ticketId: string): TicketRow[];
  /** Adds a ticket, or replaces what was told of it; the time of the first stays. */
  put(row: Omit<TicketRow, 'first_received_at'>): void;
  count(applianceId: string): number;
  /** Removes the ticket of an appliance that was closed first. @returns false where none is closed */
  dropOldestClosed(applianceId: string): boolean;
  /** Newest change first. */
  list(o: { readonly applianceId: string | null; readonly closedToo: boolean; readonly limit: number }): TicketRow[];
}

export function ticketTable(db: Database.Database): TicketTable {
  const get = db.prepare<[string, string], TicketRow>('SELECT * FROM tickets WHERE appliance_id = ? AND ticket_id = ?');
  const byId = db.prepare<[string], TicketRow>('SELECT * FROM tickets WHERE ticket_id = ? ORDER BY appliance_id');
  const put = db.prepare(
    `INSERT INTO tickets VALUES
       (@appliance_id, @ticket_id, @revision, @digest, @state, @line, @received_at, @received_at)
     ON CONFLICT (appliance_id, ticket_id) DO UPDATE SET revision = excluded.revision, digest = excluded.digest,
       state = excluded.state, line = excluded.line, received_at = excluded.received_at`,
  );
  const count = db.prepare<[string], { n: number }>('SELECT count(*) AS n FROM tickets WHERE appliance_id = ?');
  const drop = db.prepare(
    `DELETE FROM tickets WHERE rowid = (SELECT rowid FROM tickets WHERE appliance_id = ? AND state = 'closed'
       ORDER BY received_at, rowid LIMIT 1)`,
  );
  const list = db.prepare<[object], TicketRow>(
    `SELECT * FROM tickets WHERE (@applianceId IS NULL OR appliance_id = @applianceId)
       AND (@closedToo = 1 OR state <> 'closed') ORDER BY received_at DESC, rowid DESC LIMIT @limit`,
  );
  return {
    get: (applianceId, ticketId) => get.get(applianceId, ticketId) ?? null,
    byId: (ticketId) => byId.all(ticketId),
    put: (row) => void put.run(row),
    count: (applianceId) => count.get(applianceId)?.n ?? 0,
    dropOldestClosed: (applianceId) => drop.run(applianceId).changes > 0,
    list: ({ applianceId, closedToo, limit }) => list.all({ applianceId, closedToo: closedToo ? 1 : 0, limit }),
  };
}
