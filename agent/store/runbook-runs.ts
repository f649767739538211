// The journal of runbooks: what was about to be changed on a target, before it was; what came of it, after. A run without an
// end was interrupted.
import type { Db } from './connection.ts';

/** `intent`: committed before the change. `interrupted`: its process ended before there was an end; to be verified. */
export type RunState = 'intent' | 'interrupted' | 'ended';

export interface NewRun {
  readonly runId: string;
  readonly targetId: string;
  readonly runbookId: string;
  readonly runbookVersion: number;
  readonly runbookSha256: string;
  /** `remediate` or `rollback`. */
  readonly action: string;
  /** JSON of the facts that detect saw: what a rollback gets. */
  readonly snapshot: string;
  /** JSON of what the result's entry repeats: order and authorisation, plan digest, state before. */
  readonly detail: string;
  /** Unix seconds. */
  readonly at: number;
}

export interface RunRow extends NewRun {
  readonly state: RunState;
  readonly outcome: string | null;
  readonly endedAt: number | null;
}

export interface RunbookRunsTable {
  begin(run: NewRun): void;
  end(runId: string, outcome: string, at: number): void;
  /** A run that had ended as deferred, since it went on by itself: what came of it. */
  settle(runId: string, outcome: string): void;
  /** A run that was cut short in this process. */
  interrupt(runId: string): void;
  /** Every `intent` becomes `interrupted`; called once at start. Returns how many. */
  markInterrupted(): number;
  /** Oldest first. */
  interrupted(): RunRow[];
  byId(runId: string): RunRow | null;
  /** Runs on one target by one runbook that began at `since` (Unix seconds) or later, newest first. */
  since(targetId: string, runbookId: string, since: number): RunRow[];
  /** On all targets by all runbooks, begun at `since` or later; newest first. */
  allSince(since: number): RunRow[];
  /** The newest run for one incident (`link.incident_id` of its detail). */
  lastOfIncident(incidentId: string): RunRow | null;
  /** Newest first. */
  list(limit: number): RunRow[];
}

const RUN = `run_id AS runId, target_id AS targetId, runbook_id AS runbookId, runbook_version AS runbookVersion,
  runbook_sha256 AS runbookSha256, action, snapshot, detail, at, state, outcome, ended_at AS endedAt`;

export function runbookRunsTable(db: Db): RunbookRunsTable {
  const begin = db.query(
    `INSERT INTO runbook_runs (run_id, target_id, runbook_id, runbook_version, runbook_sha256, action, snapshot, detail,
       at, state)
     VALUES (@runId, @targetId, @runbookId, @runbookVersion, @runbookSha256, @action, @snapshot, @detail, @at, 'intent')`,
  );
  const end = db.query(
    `UPDATE runbook_runs SET state = 'ended', outcome = ?, ended_at = ? WHERE run_id = ? AND state <> 'ended'`,
  );
  const settle = db.query(`UPDATE runbook_runs SET outcome = ? WHERE run_id = ? AND outcome = 'deferred'`);
  const mark = db.query(`UPDATE runbook_runs SET state = 'interrupted' WHERE state = 'intent'`);
  const markOne = db.query(`UPDATE runbook_runs SET state = 'interrupted' WHERE run_id = ? AND state = 'intent'`);
  const interrupted = db.query<RunRow>(
    `SELECT ${RUN} FROM runbook_runs WHERE state = 'interrupted' ORDER BY at, run_id`,
  );
  const byId = db.query<RunRow>(`SELECT ${RUN} FROM runbook_runs WHERE run_id = ?`);
  const since = db.query<RunRow>(
    `SELECT ${RUN} FROM runbook_runs WHERE target_id = ? AND runbook_id = ? AND at >= ? ORDER BY at DESC, run_id DESC`,
  );
  const allSince = db.query<RunRow>(`SELECT ${RUN} FROM runbook_runs WHERE at >= ? ORDER BY at DESC, run_id DESC`);
  const ofIncident = db.query<RunRow>(
    `SELECT ${RUN} FROM runbook_runs WHERE json_extract(detail, '$.link.incident_id') = ?
     ORDER BY at DESC, run_id DESC LIMIT 1`,
  );
  const list = db.query<RunRow>(`SELECT ${RUN} FROM runbook_runs ORDER BY at DESC, run_id DESC LIMIT ?`);
  return {
    begin: (run) => void begin.run({ ...run }),
    end: (runId, outcome, at) => void end.run(outcome, at, runId),
    settle: (runId, outcome) => void settle.run(outcome, runId),
    interrupt: (runId) => void markOne.run(runId),
    markInterrupted: () => mark.run().changes,
    interrupted: () => interrupted.all(),
    byId: (runId) => byId.get(runId) ?? null,
    since: (targetId, runbookId, from) => since.all(targetId, runbookId, from),
    allSince: (from) => allSince.all(from),
    lastOfIncident: (incidentId) => ofIncident.get(incidentId) ?? null,
    list: (limit) => list.all(limit),
  };
}
