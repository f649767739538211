// The first tables of Central Command: sites, enrolments, appliances, orders, evidence; then witnesses, revocations, epochs.

/** Triggers that keep a table append-only. */
export const refuse = (table: string) => `
  CREATE TRIGGER ${table}_no_update BEFORE UPDATE ON ${table} BEGIN SELECT RAISE(ABORT, '${table} is append-only'); END;
  CREATE TRIGGER ${table}_no_delete BEFORE DELETE ON ${table} BEGIN SELECT RAISE(ABORT, '${table} is append-only'); END;
`;

/** Versions 1 to 4; see migrations.ts. */
export const FIRST_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

  CREATE TABLE sites (
    site_id TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;

  -- Only the SHA-256 of a token is ever stored.
  CREATE TABLE tokens (
    sha256 TEXT PRIMARY KEY,
    site_id TEXT NOT NULL REFERENCES sites,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    device_spki TEXT
  ) STRICT;

  CREATE TABLE enrolments (
    device_spki TEXT PRIMARY KEY,
    site_id TEXT NOT NULL REFERENCES sites,
    tls_spki TEXT NOT NULL,
    csr TEXT NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE,
    serial TEXT,
    agent_version TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'confirmed')),
    appliance_id TEXT UNIQUE,
    approver TEXT,
    first_claim_at INTEGER NOT NULL,
    last_claim_at INTEGER NOT NULL,
    confirmed_at INTEGER
  ) STRICT;

  CREATE TABLE bindings (
    origin TEXT PRIMARY KEY,
    appliance_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    site_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    device_spki TEXT NOT NULL,
    tls_spki TEXT NOT NULL,
    line TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    UNIQUE (appliance_id, epoch)
  ) STRICT;
  ${refuse('bindings')}

  CREATE TABLE certificates (
    serial TEXT PRIMARY KEY,
    appliance_id TEXT NOT NULL,
    not_after INTEGER NOT NULL,
    pem TEXT NOT NULL,
    issued_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX certificates_by_appliance ON certificates (appliance_id, issued_at);
  ${refuse('certificates')}

  CREATE TABLE appliance_status (
    appliance_id TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    order_floor INTEGER NOT NULL,
    agent_version TEXT NOT NULL,
    root_version INTEGER NOT NULL,
    content_version INTEGER,
    policy_version INTEGER,
    health TEXT NOT NULL,
    last_checkin_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE boots (
    appliance_id TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    counter INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    PRIMARY KEY (appliance_id, boot_id)
  ) STRICT, WITHOUT ROWID;

  -- Every order that was ever signed here.
  CREATE TABLE order_audit (
    order_id TEXT PRIMARY KEY,
    appliance_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    class TEXT NOT NULL,
    line TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    issued_by TEXT NOT NULL,
    UNIQUE (appliance_id, epoch, seq)
  ) STRICT;
  CREATE INDEX order_audit_open ON order_audit (appliance_id, epoch, expires_at);
  ${refuse('order_audit')}

  CREATE TABLE order_reports (
    report_id INTEGER PRIMARY KEY,
    appliance_id TEXT NOT NULL,
    payload_sha256 TEXT NOT NULL,
    order_id TEXT,
    state TEXT NOT NULL,
    outcome TEXT NOT NULL DEFAULT '',
    code TEXT NOT NULL DEFAULT '',
    evidence_seq INTEGER,
    at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    UNIQUE (appliance_id, payload_sha256, state, outcome, code)
  ) STRICT;
  ${refuse('order_reports')}

  -- Signed documents as their exact lines: root, content, policy (scope = site id, else empty).
  CREATE TABLE documents (
    kind TEXT NOT NULL CHECK (kind IN ('root', 'content', 'policy')),
    scope TEXT NOT NULL,
    version INTEGER NOT NULL,
    digest TEXT NOT NULL,
    line TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (kind, scope, version)
  ) STRICT;
  CREATE INDEX documents_by_digest ON documents (kind, digest);
  ${refuse('documents')}

  CREATE TABLE receipts (
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    root TEXT NOT NULL,
    line TEXT NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (origin, size)
  ) STRICT;
  ${refuse('receipts')}

  CREATE TABLE unverified_entries (
    origin TEXT NOT NULL,
    seq INTEGER NOT NULL,
    code TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (origin, seq)
  ) STRICT;

  CREATE TABLE alarms (
    alarm_id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    raised_at INTEGER NOT NULL,
    cleared_at INTEGER
  ) STRICT;
  CREATE INDEX alarms_open ON alarms (kind, subject, cleared_at);
  `,
  `
  -- The last checkpoint of each log that the witness cosigned, and the last of each day.
  CREATE TABLE witnessed (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    root TEXT NOT NULL,
    note TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- A witness that forgot could be led to cosign two histories.
  CREATE TRIGGER witnessed_only_grows BEFORE INSERT ON witnessed
    WHEN EXISTS (SELECT 1 FROM witnessed w WHERE w.origin = NEW.origin
      AND (w.size > NEW.size OR (w.size = NEW.size AND w.root <> NEW.root)))
    BEGIN SELECT RAISE(ABORT, 'a cosigned checkpoint is never taken back'); END;
  CREATE TRIGGER witnessed_no_delete BEFORE DELETE ON witnessed
    BEGIN SELECT RAISE(ABORT, 'a cosigned checkpoint is never taken back'); END;
  CREATE TRIGGER witnessed_no_update BEFORE UPDATE ON witnessed
    BEGIN SELECT RAISE(ABORT, 'a cosigned checkpoint is never taken back'); END;

  CREATE TABLE witnessed_days (
    origin TEXT NOT NULL,
    day INTEGER NOT NULL,
    size INTEGER NOT NULL,
    root TEXT NOT NULL,
    note TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (origin, day)
  ) STRICT, WITHOUT ROWID;

  -- Requests that the witness refused, byte for byte.
  CREATE TABLE witness_refusals (
    refusal_id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    code TEXT NOT NULL,
    body TEXT NOT NULL,
    latest TEXT,
    at INTEGER NOT NULL,
    UNIQUE (origin, sha256)
  ) STRICT;
  ${refuse('witness_refusals')}
  `,
  `
  -- How a certificate came to be: enrolment, renewal or recovery.
  ALTER TABLE certificates ADD COLUMN issued_for TEXT NOT NULL DEFAULT 'enrolment';

  -- Appliances that are heard no more. What they uploaded stays.
  CREATE TABLE revoked_appliances (
    appliance_id TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    revoked_by TEXT NOT NULL,
    revoked_at INTEGER NOT NULL
  ) STRICT;
  ${refuse('revoked_appliances')}

  ALTER TABLE appliance_status ADD COLUMN revocations_version INTEGER;

  -- A CHECK cannot be changed in place.
  CREATE TABLE documents_with_revocations (
    kind TEXT NOT NULL CHECK (kind IN ('root', 'content', 'policy', 'revocations')),
    scope TEXT NOT NULL,
    version INTEGER NOT NULL,
    digest TEXT NOT NULL,
    line TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (kind, scope, version)
  ) STRICT;
  INSERT INTO documents_with_revocations SELECT * FROM documents;
  DROP TABLE documents;
  ALTER TABLE documents_with_revocations RENAME TO documents;
  CREATE INDEX documents_by_digest ON documents (kind, digest);
  ${refuse('documents')}
  `,
  `
  -- Epochs that appliances opened themselves, and the people who vouch for them.
  CREATE TABLE successions (
    origin TEXT PRIMARY KEY REFERENCES bindings,
    appliance_id TEXT NOT NULL,
    old_origin TEXT NOT NULL,
    line TEXT NOT NULL,
    cause TEXT NOT NULL,
    own_size INTEGER,
    own_root TEXT,
    opened_at INTEGER NOT NULL
  ) STRICT;
  ${refuse('successions')}
  CREATE TABLE epoch_drafts (origin TEXT PRIMARY KEY REFERENCES bindings, payload TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
  ${refuse('epoch_drafts')}
  CREATE TABLE epoch_signatures (
    origin TEXT NOT NULL REFERENCES epoch_drafts,
    person TEXT NOT NULL,
    keyid TEXT NOT NULL,
    sig TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (origin, person)
  ) STRICT, WITHOUT ROWID;
  ${refuse('epoch_signatures')}
  CREATE TABLE confirmed_epochs (
    origin TEXT PRIMARY KEY REFERENCES bindings,
    line TEXT NOT NULL,
    persons TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;
  ${refuse('confirmed_epochs')}

  -- A machine without its keys is enrolled anew under the id that it had. UNIQUE cannot be dropped in place.
  CREATE TABLE enrolments_replaceable (
    device_spki TEXT PRIMARY KEY,
    site_id TEXT NOT NULL REFERENCES sites,
    tls_spki TEXT NOT NULL,
    csr TEXT NOT NULL,
    fingerprint TEXT NOT NULL UNIQUE,
    serial TEXT,
    agent_version TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'confirmed', 'replaced')),
    appliance_id TEXT,
    approver TEXT,
    first_claim_at INTEGER NOT NULL,
    last_claim_at INTEGER NOT NULL,
    confirmed_at INTEGER
  ) STRICT;
  INSERT INTO enrolments_replaceable SELECT * FROM enrolments;
  DROP TABLE enrolments;
  ALTER TABLE enrolments_replaceable RENAME TO enrolments;
  CREATE UNIQUE INDEX enrolments_in_force ON enrolments (appliance_id) WHERE state = 'confirmed';
  `,
];
