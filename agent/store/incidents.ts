// Incidents: one row for each (target, check, condition), and the lines of its story. What they say belongs to agent/healing/.
import type { Db } from './connection.ts';

/** Of one story. Drift that comes and goes with every look must not fill the disk; the log has what is older. */
export const MAX_INCIDENT_LINES = 500;

export interface IncidentRow {
  readonly incidentId: string;
  readonly targetId: string;
  readonly checkId: string;
  readonly condition: string;
  readonly state: string;
  readonly severity: string;
  /** Unix seconds, as all times here. */
  readonly openedAt: number;
  readonly changedAt: number;
  readonly nextStepAt: number | null;
  /** JSON of the rest. */
  readonly detail: string;
}

export interface IncidentLine {
  readonly at: number;
  readonly what: string;
  readonly sentence: string;
  /** Entry of the log that says the same; null where the line rests on none. */
  readonly evidenceSeq: number | null;
}

export interface IncidentsTable {
  get(incidentId: string): IncidentRow | null;
  find(targetId: string, checkId: string, condition: string): IncidentRow | null;
  /** All conditions of one check on one target. */
  ofCheck(targetId: string, checkId: string): IncidentRow[];
  /** In one of `states`, and not to be left alone beyond `now`; oldest first. */
  due(states: readonly string[], now: number): IncidentRow[];
  /** Newest change first. `but`: states that are left out. */
  list(o: { readonly limit: number; readonly but?: readonly string[] }): IncidentRow[];
  /** Keeps the row as it is now and adds lines to its story, of which the newest {@link MAX_INCIDENT_LINES} stay, in one unit. */
  put(row: IncidentRow, lines: readonly IncidentLine[]): void;
  /** How many are in each state, but for those that are closed. */
  counts(): Record<string, number>;
  /** Oldest first. */
  lines(incidentId: string): IncidentLine[];
}

const COLUMNS = {
  incidentId: 'incident_id',
  targetId: 'target_id',
  checkId: 'check_id',
  condition: 'condition',
  state: 'state',
  severity: 'severity',
  openedAt: 'opened_at',
  changedAt: 'changed_at',
  nextStepAt: 'next_step_at',
  detail: 'detail',
} as const satisfies Record<keyof IncidentRow, string>;

export function incidentsTable(db: Db): IncidentsTable {
  const pairs = Object.entries(COLUMNS);
  const select = `SELECT ${pairs.map(([name, column]) => `${column} AS ${name}`).join(', ')} FROM incidents`;
  const get = db.query<IncidentRow>(`${select} WHERE incident_id = ?`);
  const find = db.query<IncidentRow>(`${select} WHERE target_id = ? AND check_id = ? AND condition = ?`);
  const ofCheck = db.query<IncidentRow>(`${select} WHERE target_id = ? AND check_id = ? ORDER BY rowid`);
  const due = db.query<IncidentRow>(
    `${select} WHERE state IN (SELECT value FROM json_each(?)) AND (next_step_at IS NULL OR next_step_at <= ?)
     ORDER BY opened_at, rowid`,
  );
  const list = db.query<IncidentRow>(
    `${select} WHERE state NOT IN (SELECT value FROM json_each(?)) ORDER BY changed_at DESC, rowid DESC LIMIT ?`,
  );
  const put = db.query(
    `INSERT INTO incidents (${pairs.map(([, column]) => column).join(', ')})
     VALUES (${pairs.map(([name]) => `@${name}`).join(', ')})
     ON CONFLICT (incident_id) DO UPDATE SET ${pairs.map(([, column]) => `${column} = excluded.${column}`).join(', ')}`,
  );
  const add = db.query(
    `INSERT INTO incident_lines (incident_id, at, what, sentence, evidence_seq)
     VALUES (@incidentId, @at, @what, @sentence, @evidenceSeq)`,
  );
  const forget = db.query(
    `DELETE FROM incident_lines WHERE incident_id = @incidentId AND id <=
       (SELECT id FROM incident_lines WHERE incident_id = @incidentId ORDER BY id DESC LIMIT 1 OFFSET ${MAX_INCIDENT_LINES})`,
  );
  const counts = db.query<{ state: string; n: number }>(
    "SELECT state, count(*) AS n FROM incidents WHERE state <> 'closed' GROUP BY state ORDER BY state",
  );
  const lines = db.query<IncidentLine>(
    'SELECT at, what, sentence, evidence_seq AS evidenceSeq FROM incident_lines WHERE incident_id = ? ORDER BY id',
  );
  return {
    get: (incidentId) => get.get(incidentId) ?? null,
    find: (targetId, checkId, condition) => find.get(targetId, checkId, condition) ?? null,
    ofCheck: (targetId, checkId) => ofCheck.all(targetId, checkId),
    due: (states, now) => due.all(JSON.stringify(states), now),
    list: ({ limit, but = [] }) => list.all(JSON.stringify(but), limit),
    put: (row, added) =>
      db.unit(() => {
        put.run({ ...row });
        for (const line of added) add.run({ incidentId: row.incidentId, ...line });
        if (added.length > 0) forget.run({ incidentId: row.incidentId });
      }),
    counts: () => Object.fromEntries(counts.all().map(({ state, n }) => [state, n])),
    lines: (incidentId) => lines.all(incidentId),
  };
}
