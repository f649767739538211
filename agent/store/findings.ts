// The latest state of each check on each target: what "unchanged since entry N" rests on.
import type { Db } from './connection.ts';

export interface FindingState {
  readonly targetId: string;
  readonly checkId: string;
  readonly result: string;
  /** Digest of the judged facts as the check gave it; compared, never sent anywhere. */
  readonly factsDigest: string;
  /** Digest that stands in entry `sinceSeq`: of the facts as they were kept. */
  readonly recordedDigest: string;
  /** Entry that recorded this state. */
  readonly sinceSeq: number;
  readonly baselineSha256: string;
  readonly waiverId: string | null;
  readonly severity: string;
  readonly sentence: string;
  /** Unix seconds, as all times here. */
  readonly lastReadAt: number;
  /** Runs since `sinceSeq`, that one included. */
  readonly runs: number;
  readonly runsSinceHeartbeat: number;
  readonly lastHeartbeatAt: number;
}

export interface FindingsTable {
  get(targetId: string, checkId: string): FindingState | null;
  put(state: FindingState): void;
  /** Ordered by target, then check. */
  all(): FindingState[];
  /** A new epoch begins with nothing said: `sinceSeq` of the old one means nothing in it. */
  clear(): void;
}

const COLUMNS = {
  targetId: 'target_id',
  checkId: 'check_id',
  result: 'result',
  factsDigest: 'facts_digest',
  recordedDigest: 'recorded_digest',
  sinceSeq: 'since_seq',
  baselineSha256: 'baseline_sha256',
  waiverId: 'waiver_id',
  severity: 'severity',
  sentence: 'sentence',
  lastReadAt: 'last_read_at',
  runs: 'runs',
  runsSinceHeartbeat: 'runs_since_heartbeat',
  lastHeartbeatAt: 'last_heartbeat_at',
} as const satisfies Record<keyof FindingState, string>;

export function findingsTable(db: Db): FindingsTable {
  const pairs = Object.entries(COLUMNS);
  const select = `SELECT ${pairs.map(([name, column]) => `${column} AS ${name}`).join(', ')} FROM findings`;
  const get = db.query<FindingState>(`${select} WHERE target_id = ? AND check_id = ?`);
  const all = db.query<FindingState>(`${select} ORDER BY target_id, check_id`);
  const clear = db.query('DELETE FROM findings');
  const put = db.query(
    `INSERT INTO findings (${pairs.map(([, column]) => column).join(', ')})
     VALUES (${pairs.map(([name]) => `@${name}`).join(', ')})
     ON CONFLICT DO UPDATE SET ${pairs.map(([, column]) => `${column} = excluded.${column}`).join(', ')}`,
  );
  return {
    get: (targetId, checkId) => get.get(targetId, checkId) ?? null,
    put: (state) => void put.run({ ...state }),
    all: () => all.all(),
    clear: () => void clear.run(),
  };
}
