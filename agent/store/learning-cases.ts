// What learning counts: patterns of drift, and for each what happened with it. What they mean belongs to agent/healing/learning/.
import type { Db } from './connection.ts';

export interface PatternRow {
  readonly patternSha256: string;
  readonly platform: string;
  readonly checkId: string;
  /** JSON of what all drift of this pattern has in common. */
  readonly shape: string;
  readonly firstAt: number;
}

export interface CaseRow {
  /** Names what happened once and for all: told twice, it counts once. */
  readonly caseKey: string;
  readonly patternSha256: string;
  readonly kind: 'occurrence' | 'resolution';
  readonly incidentId: string;
  /** The rest is null for an occurrence. Who chose the runbook: `l1` or `l2`. */
  readonly tier: string | null;
  readonly runbookId: string | null;
  readonly runbookSha256: string | null;
  /** JSON. */
  readonly params: string | null;
  /** 1 where a look of its own found it in order. */
  readonly verified: number | null;
  readonly durationMs: number | null;
  /** Unix seconds of signed time. */
  readonly at: number;
}

export interface LearningTable {
  /** Keeps a pattern and what happened with it; what is known already stays as it is. */
  add(pattern: PatternRow, one: CaseRow): void;
  /** Newest case first. */
  patterns(limit: number): PatternRow[];
  pattern(patternSha256: string): PatternRow | null;
  /** Oldest first. */
  cases(patternSha256: string): CaseRow[];
  /** How often drift of one incident was counted. */
  occurrences(incidentId: string): number;
  /** Removes cases before `before`, and patterns that have none left. */
  forget(before: number): void;
}

const PATTERN = {
  patternSha256: 'pattern_sha256',
  platform: 'platform',
  checkId: 'check_id',
  shape: 'shape',
  firstAt: 'first_at',
} as const satisfies Record<keyof PatternRow, string>;
const CASE = {
  caseKey: 'case_key',
  patternSha256: 'pattern_sha256',
  kind: 'kind',
  incidentId: 'incident_id',
  tier: 'tier',
  runbookId: 'runbook_id',
  runbookSha256: 'runbook_sha256',
  params: 'params',
  verified: 'verified',
  durationMs: 'duration_ms',
  at: 'at',
} as const satisfies Record<keyof CaseRow, string>;

const select = (columns: Readonly<Record<string, string>>, table: string): string =>
  `SELECT ${Object.entries(columns)
    .map(([name, column]) => `${table}.${column} AS ${name}`)
    .join(', ')} FROM ${table}`;

const insert = (columns: Readonly<Record<string, string>>, table: string): string => {
  const names = Object.keys(columns).map((name) => `@${name}`);
  return `INSERT OR IGNORE INTO ${table} (${Object.values(columns).join(', ')}) VALUES (${names.join(', ')})`;
};

export function learningTable(db: Db): LearningTable {
  const addPattern = db.query(insert(PATTERN, 'learning_patterns'));
  const addCase = db.query(insert(CASE, 'learning_cases'));
  const patterns = db.query<PatternRow>(
    `${select(PATTERN, 'learning_patterns')}
     ORDER BY (SELECT max(at) FROM learning_cases c WHERE c.pattern_sha256 = learning_patterns.pattern_sha256) DESC,
       pattern_sha256 LIMIT ?`,
  );
  const pattern = db.query<PatternRow>(`${select(PATTERN, 'learning_patterns')} WHERE pattern_sha256 = ?`);
  const cases = db.query<CaseRow>(`${select(CASE, 'learning_cases')} WHERE pattern_sha256 = ? ORDER BY at, rowid`);
  const occurrences = db.query<{ n: number }>(
    "SELECT count(*) AS n FROM learning_cases WHERE incident_id = ? AND kind = 'occurrence'",
  );
  const forgetCases = db.query('DELETE FROM learning_cases WHERE at < ?');
  const forgetPatterns = db.query(
    'DELETE FROM learning_patterns WHERE pattern_sha256 NOT IN (SELECT pattern_sha256 FROM learning_cases)',
  );
  return {
    add: (row, one) =>
      db.unit(() => {
        addPattern.run({ ...row });
        addCase.run({ ...one });
      }),
    patterns: (limit) => patterns.all(limit),
    pattern: (sha256) => pattern.get(sha256) ?? null,
    cases: (sha256) => cases.all(sha256),
    occurrences: (incidentId) => occurrences.get(incidentId)?.n ?? 0,
    forget: (before) =>
      db.unit(() => {
        forgetCases.run(before);
        forgetPatterns.run();
      }),
  };
}
