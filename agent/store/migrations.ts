// The schema of agent.db and the steps that lead to it. A step is never changed after it was released, only followed.
import { sumTriggers, SUMMED_TABLES } from './row-sums.ts';

export interface Migration {
  /** `user_version` after this step. */
  readonly version: number;
  /** Oldest program schema that can still work with the file after this step: an update may be rolled back. */
  readonly readableFrom: number;
  readonly sql: string;
}

/** `application_id` in the file header: "cagt". */
export const APPLICATION_ID = 0x63616774;

const sum = 'sum INTEGER';

const FIRST = `
  CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL, ${sum}) STRICT;

  -- id = epoch * 2^32 + seq: the table itself is the order of the log, and no index has to be kept for it.
  CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    target_id TEXT,
    check_id TEXT,
    observed_to INTEGER NOT NULL,
    leaf BLOB NOT NULL CHECK (length(leaf) = 32),
    sum INTEGER NOT NULL,
    line TEXT NOT NULL
  ) STRICT;
  -- The kinds that make up nearly all of a log are found quickly without an index.
  CREATE INDEX entries_by_rare_kind ON entries (kind, id) WHERE kind NOT IN ('finding', 'heartbeat');
  CREATE TRIGGER entries_are_final BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'evidence is never rewritten'); END;
  CREATE TRIGGER entries_are_kept BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'evidence is never deleted'); END;

  CREATE TABLE log_state (
    epoch INTEGER PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size > 0),
    bytes INTEGER NOT NULL,
    last_leaf BLOB NOT NULL CHECK (length(last_leaf) = 32),
    range BLOB NOT NULL CHECK (length(range) % 32 = 0),
    sum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE orders (
    order_id TEXT PRIMARY KEY NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    line TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('accepted', 'started', 'handed_over', 'result')),
    outcome TEXT,
    code TEXT,
    sentence TEXT,
    evidence_seq INTEGER,
    detail TEXT,
    accepted_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    reported INTEGER NOT NULL,
    ${sum},
    UNIQUE (epoch, seq)
  ) STRICT;
  CREATE INDEX orders_unreported ON orders (at) WHERE reported < revision;
  CREATE TABLE order_floors (epoch INTEGER PRIMARY KEY, floor INTEGER NOT NULL CHECK (floor >= 0), ${sum}) STRICT;
  CREATE TABLE refusals (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    code TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('rejected', 'expired')),
    order_id TEXT,
    sentence TEXT NOT NULL,
    evidence_seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reported INTEGER NOT NULL,
    ${sum},
    UNIQUE (digest, code)
  ) STRICT;
  CREATE INDEX refusals_unreported ON refusals (at) WHERE reported = 0;
  CREATE TABLE authorisations (
    authorisation_id TEXT PRIMARY KEY NOT NULL,
    order_digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    ${sum}
  ) STRICT;

  CREATE TABLE findings (
    target_id TEXT NOT NULL,
    check_id TEXT NOT NULL,
    result TEXT NOT NULL,
    facts_digest TEXT NOT NULL,
    recorded_digest TEXT NOT NULL,
    since_seq INTEGER NOT NULL,
    baseline_sha256 TEXT NOT NULL,
    waiver_id TEXT,
    severity TEXT NOT NULL,
    sentence TEXT NOT NULL,
    last_read_at INTEGER NOT NULL,
    runs INTEGER NOT NULL,
    runs_since_heartbeat INTEGER NOT NULL,
    last_heartbeat_at INTEGER NOT NULL,
    ${sum},
    PRIMARY KEY (target_id, check_id)
  ) STRICT;

  CREATE TABLE roots (version INTEGER PRIMARY KEY, digest TEXT NOT NULL, line TEXT NOT NULL, ${sum}) STRICT;
  CREATE TABLE documents (
    kind TEXT NOT NULL CHECK (kind IN ('content', 'policy', 'revocations', 'binding')),
    version INTEGER NOT NULL,
    digest TEXT NOT NULL,
    line TEXT NOT NULL,
    at INTEGER NOT NULL,
    ${sum},
    PRIMARY KEY (kind, version)
  ) STRICT;
  CREATE TABLE identity (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL, ${sum}) STRICT;
  CREATE TABLE signed_time (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    server_time INTEGER NOT NULL,
    boot_ms REAL NOT NULL,
    boot_id TEXT NOT NULL,
    ${sum}
  ) STRICT;

  CREATE TABLE counters (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL, ${sum}) STRICT;
  CREATE TABLE pointers (origin TEXT PRIMARY KEY NOT NULL, size INTEGER NOT NULL CHECK (size >= 0), ${sum}) STRICT;
  CREATE TABLE receipts (
    id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    root TEXT NOT NULL,
    line TEXT NOT NULL,
    at INTEGER NOT NULL,
    ${sum}
  ) STRICT;
  CREATE INDEX receipts_by_size ON receipts (origin, size);
  CREATE TABLE parked (
    origin TEXT PRIMARY KEY NOT NULL,
    code TEXT NOT NULL,
    sentence TEXT NOT NULL,
    until INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    ${sum}
  ) STRICT;
  CREATE TABLE traffic (day INTEGER PRIMARY KEY, sent INTEGER NOT NULL, received INTEGER NOT NULL, ${sum}) STRICT;
  CREATE TABLE settings (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL, ${sum}) STRICT;
  ${Object.keys(SUMMED_TABLES).map(sumTriggers).join('')}
`;

/**
 * The tree of the log and the checkpoints that a witness cosigned. Version 1 can go on with the file: it does not look at
 * either table, and what it appends without tiles is completed when this version comes back (agent/evidence/tiles.ts).
 */
const SECOND = `
  -- id = (epoch * 8 + level) * 2^24 + n. Tiles of level 0 are full ones; of higher levels the last one still grows.
  CREATE TABLE tiles (
    id INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL CHECK (length(hashes) % 32 = 0 AND length(hashes) BETWEEN 32 AND 8192),
    sum INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE checkpoints (
    id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    root TEXT NOT NULL,
    note TEXT NOT NULL,
    at INTEGER NOT NULL,
    ${sum}
  ) STRICT;
  CREATE INDEX checkpoints_by_size ON checkpoints (origin, size);
  ${sumTriggers('checkpoints')}
`;

/** Kinds of entries whose lines are never pruned: who signs the log, what was waived, what is missing, what was wrong. */
export const NEVER_PRUNED = ['epoch', 'waiver', 'gap', 'alert', 'trust'] as const;

/** First schema that can go on with a log whose oldest lines were pruned. */
export const PRUNED_READABLE_FROM = 3;

/**
 * Pruning. The file itself stays usable by earlier versions; the first prune sets `readable_from` to this schema, for they
 * take a log that begins later for damage. The database refuses what agent/evidence/prune.ts must never ask for.
 */
const THIRD = `
  -- Lines of entries below \`size\` are gone, but for those that are kept; their hashes are in the tiles.
  CREATE TABLE prunes (
    epoch INTEGER PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size > 0),
    bytes INTEGER NOT NULL,
    removed_bytes INTEGER NOT NULL CHECK (removed_bytes <= bytes),
    receipt_size INTEGER NOT NULL CHECK (receipt_size >= size),
    checkpoint_size INTEGER NOT NULL CHECK (checkpoint_size >= size),
    at INTEGER NOT NULL,
    ${sum}
  ) STRICT;
  ${['INSERT', 'UPDATE OF size, receipt_size, checkpoint_size']
    .map(
      (event, i) => `
  CREATE TRIGGER prunes_are_covered_${i} BEFORE ${event} ON prunes WHEN
    NOT EXISTS (SELECT 1 FROM receipts r WHERE r.origin LIKE '%/' || NEW.epoch AND r.size = NEW.receipt_size) OR
    NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.origin LIKE '%/' || NEW.epoch AND c.size = NEW.checkpoint_size)
  BEGIN SELECT RAISE(ABORT, 'evidence is pruned only under a receipt and a cosigned checkpoint'); END;`,
    )
    .join('')}
  CREATE TRIGGER prunes_only_grow BEFORE UPDATE OF size ON prunes WHEN NEW.size < OLD.size
  BEGIN SELECT RAISE(ABORT, 'what was pruned does not come back'); END;
  CREATE TRIGGER prunes_are_kept BEFORE DELETE ON prunes BEGIN SELECT RAISE(ABORT, 'what was pruned stays known'); END;
  DROP TRIGGER entries_are_kept;
  CREATE TRIGGER entries_are_kept BEFORE DELETE ON entries WHEN
    OLD.kind IN (${NEVER_PRUNED.map((kind) => `'${kind}'`).join(', ')}) OR NOT EXISTS
      (SELECT 1 FROM prunes p WHERE p.epoch = OLD.id >> 32 AND (OLD.id & 4294967295) < p.size)
  BEGIN SELECT RAISE(ABORT, 'evidence is never deleted before it was stored elsewhere'); END;
  ${sumTriggers('prunes')}
`;

/** RFC 3161 timestamps over checkpoints. */
const FOURTH = `
  CREATE TABLE timestamps (
    id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size > 0),
    root TEXT NOT NULL,
    response BLOB NOT NULL,
    at INTEGER NOT NULL,
    ${sum}
  ) STRICT;
  CREATE INDEX timestamps_by_size ON timestamps (origin, size);
  ${sumTriggers('timestamps')}
`;

/** The journal of runbooks. */
const FIFTH = `
  CREATE TABLE runbook_runs (
    run_id TEXT PRIMARY KEY,
    target_id TEXT NOT NULL,
    runbook_id TEXT NOT NULL,
    runbook_version INTEGER NOT NULL,
    runbook_sha256 TEXT NOT NULL,
    action TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    detail TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intent', 'interrupted', 'ended')),
    outcome TEXT CHECK ((outcome IS NULL) = (state <> 'ended')),
    ended_at INTEGER,
    at INTEGER NOT NULL,
    ${sum}
  ) STRICT;
  CREATE INDEX runbook_runs_by_target ON runbook_runs (target_id, runbook_id, at);
  CREATE TRIGGER runbook_runs_end_once BEFORE UPDATE OF state ON runbook_runs WHEN OLD.state = 'ended'
  BEGIN SELECT RAISE(ABORT, 'a run that ended does not begin again'); END;
  ${sumTriggers('runbook_runs')}
`;

/** Tickets, and what waits to be told of them. */
const SIXTH = `
  CREATE TABLE tickets (
    ticket_id TEXT PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    json TEXT NOT NULL,
    ${sum}
  ) STRICT;
  CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    output_id TEXT NOT NULL,
    ticket_id TEXT NOT NULL,
    event TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    failure TEXT,
    reference TEXT,
    ${sum},
    UNIQUE (event_id, output_id)
  ) STRICT;
  CREATE INDEX deliveries_waiting ON deliveries (output_id, ticket_id, state, id);
  ${sumTriggers('tickets')}
  ${sumTriggers('deliveries')}
`;

/** Incidents of drift, and their stories. */
const SEVENTH = `
  CREATE TABLE incidents (
    incident_id TEXT PRIMARY KEY NOT NULL,
    target_id TEXT NOT NULL,
    check_id TEXT NOT NULL,
    condition TEXT NOT NULL,
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    next_step_at INTEGER,
    detail TEXT NOT NULL,
    ${sum},
    UNIQUE (target_id, check_id, condition)
  ) STRICT;
  CREATE TABLE incident_lines (
    id INTEGER PRIMARY KEY,
    incident_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    what TEXT NOT NULL,
    sentence TEXT NOT NULL,
    evidence_seq INTEGER,
    ${sum}
  ) STRICT;
  CREATE INDEX incident_lines_by_incident ON incident_lines (incident_id, id);
  ${sumTriggers('incidents')}
  ${sumTriggers('incident_lines')}
`;

/** What a planner was asked, and what learning counts. */
const EIGHTH = `
  CREATE TABLE planner_calls (
    call_id TEXT PRIMARY KEY NOT NULL,
    finding_key TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('asked', 'ended')),
    code TEXT,
    tokens INTEGER NOT NULL CHECK (tokens >= 0),
    micro_cents INTEGER NOT NULL CHECK (micro_cents >= 0),
    retry_at INTEGER,
    prompt_sha256 TEXT NOT NULL,
    output_sha256 TEXT,
    plan TEXT,
    at INTEGER NOT NULL,
    ${sum}
  ) STRICT;
  CREATE INDEX planner_calls_by_finding ON planner_calls (finding_key, at);
  CREATE INDEX planner_calls_by_time ON planner_calls (at);
  CREATE TABLE planner_texts (
    call_id TEXT PRIMARY KEY NOT NULL,
    prompt TEXT NOT NULL,
    answer TEXT,
    at INTEGER NOT NULL,
    ${sum}
  ) STRICT;
  CREATE TABLE learning_patterns (
    pattern_sha256 TEXT PRIMARY KEY NOT NULL,
    platform TEXT NOT NULL,
    check_id TEXT NOT NULL,
    shape TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    ${sum}
  ) STRICT;
  CREATE TABLE learning_cases (
    case_key TEXT PRIMARY KEY NOT NULL,
    pattern_sha256 TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('occurrence', 'resolution')),
    incident_id TEXT NOT NULL,
    tier TEXT CHECK ((tier IS NULL) = (kind = 'occurrence')),
    runbook_id TEXT,
    runbook_sha256 TEXT,
    params TEXT,
    verified INTEGER CHECK ((verified IS NULL) = (kind = 'occurrence')),
    duration_ms INTEGER,
    at INTEGER NOT NULL,
    ${sum}
  ) STRICT;
  CREATE INDEX learning_cases_by_pattern ON learning_cases (pattern_sha256, at);
  ${sumTriggers('planner_calls')}
  ${sumTriggers('planner_texts')}
  ${sumTriggers('learning_patterns')}
  ${sumTriggers('learning_cases')}
`;

/** Which machine each target is. */
const NINTH = `
  CREATE TABLE target_identities (
    target_id TEXT PRIMARY KEY NOT NULL,
    machine_sid TEXT NOT NULL,
    pinned_at INTEGER NOT NULL,
    other_sid TEXT CHECK ((other_sid IS NULL) = (other_at IS NULL)),
    other_at INTEGER,
    ${sum}
  ) STRICT;
  ${sumTriggers('target_identities')}
`;

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, readableFrom: 1, sql: FIRST },
  { version: 2, readableFrom: 1, sql: SECOND },
  { version: 3, readableFrom: 1, sql: THIRD },
  { version: 4, readableFrom: 1, sql: FOURTH },
  { version: 5, readableFrom: 1, sql: FIFTH },
  { version: 6, readableFrom: 1, sql: SIXTH },
  { version: 7, readableFrom: 1, sql: SEVENTH },
  { version: 8, readableFrom: 1, sql: EIGHTH },
  { version: 9, readableFrom: 1, sql: NINTH },
];

/** What this program writes and reads. */
export const SCHEMA_VERSION = MIGRATIONS.at(-1)?.version ?? 0;
