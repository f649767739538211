// What a planner was asked: one row for each request that may have been sent, kept for the budgets; its texts for a while. What they
// say belongs to agent/healing/planner/.
import type { Db } from './connection.ts';

export interface PlannerCallRow {
  readonly callId: string;
  /** SHA-256 of the finding that it was about. */
  readonly findingKey: string;
  /** `local` or `remote`. */
  readonly endpoint: string;
  readonly model: string;
  /** `asked`: committed before the request; it stays so where the process ended before the answer. */
  readonly state: 'asked' | 'ended';
  /** Error code of what came of it; null for a usable answer, and while it is asked. */
  readonly code: string | null;
  /** Charged. While it is asked: the most that it may cost. */
  readonly tokens: number;
  /** Millionths of a cent. */
  readonly microCents: number;
  /** Unix seconds before which the endpoint does not want to be asked again; null: it said nothing. */
  readonly retryAt: number | null;
  readonly promptSha256: string;
  /** Null while there is no answer. */
  readonly outputSha256: string | null;
  /** JSON of the plan that was accepted; null where there is none. */
  readonly plan: string | null;
  /** Unix seconds of signed time. */
  readonly at: number;
}

export interface PlannerTexts {
  readonly prompt: string;
  /** As received, cut; null while there is none. */
  readonly answer: string | null;
}

export interface PlannerTable {
  /** Keeps the row as it is now; texts that are given replace the earlier ones. */
  put(row: PlannerCallRow, texts?: PlannerTexts): void;
  /** Calls at or after `from`, oldest first. */
  since(from: number): PlannerCallRow[];
  /** The last call about a finding, or null. */
  lastFor(findingKey: string): PlannerCallRow | null;
  texts(callId: string): PlannerTexts | null;
  /** Removes texts of calls before `texts`, and calls before `calls`. */
  forget(before: { readonly texts: number; readonly calls: number }): void;
}

const COLUMNS = {
  callId: 'call_id',
  findingKey: 'finding_key',
  endpoint: 'endpoint',
  model: 'model',
  state: 'state',
  code: 'code',
  tokens: 'tokens',
  microCents: 'micro_cents',
  retryAt: 'retry_at',
  promptSha256: 'prompt_sha256',
  outputSha256: 'output_sha256',
  plan: 'plan',
  at: 'at',
} as const satisfies Record<keyof PlannerCallRow, string>;

export function plannerTable(db: Db): PlannerTable {
  const pairs = Object.entries(COLUMNS);
  const select = `SELECT ${pairs.map(([name, column]) => `${column} AS ${name}`).join(', ')} FROM planner_calls`;
  const put = db.query(
    `INSERT INTO planner_calls (${pairs.map(([, column]) => column).join(', ')})
     VALUES (${pairs.map(([name]) => `@${name}`).join(', ')})
     ON CONFLICT (call_id) DO UPDATE SET ${pairs.map(([, column]) => `${column} = excluded.${column}`).join(', ')}`,
  );
  const putTexts = db.query(
    `INSERT INTO planner_texts (call_id, prompt, answer, at) VALUES (@callId, @prompt, @answer, @at)
     ON CONFLICT (call_id) DO UPDATE SET prompt = excluded.prompt, answer = excluded.answer, at = excluded.at`,
  );
  const since = db.query<PlannerCallRow>(`${select} WHERE at >= ? ORDER BY at, call_id`);
  const last = db.query<PlannerCallRow>(`${select} WHERE finding_key = ? ORDER BY at DESC, call_id DESC LIMIT 1`);
  const texts = db.query<PlannerTexts>('SELECT prompt, answer FROM planner_texts WHERE call_id = ?');
  const forgetTexts = db.query('DELETE FROM planner_texts WHERE at < ?');
  const forgetCalls = db.query('DELETE FROM planner_calls WHERE at < ?');
  return {
    put: (row, given) =>
      db.unit(() => {
        put.run({ ...row });
        if (given !== undefined) putTexts.run({ callId: row.callId, at: row.at, ...given });
      }),
    since: (from) => since.all(from),
    lastFor: (findingKey) => last.get(findingKey) ?? null,
    texts: (callId) => texts.get(callId) ?? null,
    forget: (before) =>
      db.unit(() => {
        forgetTexts.run(before.texts);
        forgetCalls.run(before.calls);
      }),
  };
}
