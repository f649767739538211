// The tables of Central Command. Migrations only add; `user_version` says which were applied.
import { FIRST_MIGRATIONS, refuse } from './first-migrations.ts';

/** Each element is one version; never edit one that was released. Times are Unix seconds. */
export const MIGRATIONS: readonly string[] = [
  ...FIRST_MIGRATIONS,
  `
  -- The objects in which evidence is stored. An object that was lost comes again, maybe in other parts: rows may be replaced.
  CREATE TABLE evidence_objects (
    origin TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    object_id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    retain_until INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    range TEXT NOT NULL,
    last_leaf TEXT NOT NULL,
    PRIMARY KEY (origin, first)
  ) STRICT;
  CREATE INDEX evidence_objects_by_last ON evidence_objects (origin, last);

  CREATE TABLE evidence_audit (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    pass INTEGER NOT NULL,
    pass_started_at INTEGER NOT NULL,
    cursor_origin TEXT,
    cursor_first INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    last_run_at INTEGER NOT NULL,
    last_error TEXT,
    completed_at INTEGER,
    completed_objects INTEGER NOT NULL,
    completed_bytes INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE evidence_audit_findings (
    kind TEXT NOT NULL CHECK (kind IN ('changed', 'missing', 'added', 'hidden', 'weak')),
    origin TEXT NOT NULL,
    object_id TEXT NOT NULL,
    sentence TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    resolved_at INTEGER,
    PRIMARY KEY (kind, origin, object_id)
  ) STRICT;
  `,
  `
  -- What people signed for one disruptive act each, and the orders that embed it.
  CREATE TABLE authorisations (
    authorisation_id TEXT PRIMARY KEY,
    appliance_id TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    line TEXT NOT NULL,
    persons TEXT NOT NULL,
    not_after INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    withdrawn_at INTEGER,
    withdrawn_by TEXT
  ) STRICT;
  CREATE INDEX authorisations_by_appliance ON authorisations (appliance_id, not_after);
  CREATE TABLE authorised_orders (
    authorisation_id TEXT NOT NULL REFERENCES authorisations,
    order_digest TEXT NOT NULL UNIQUE
  ) STRICT;
  `,
  `
  -- Enrolment without a stick's token: machines that people expect, codes that tie a device to a site, devices that wait.
  CREATE TABLE expected_machines (
    kind TEXT NOT NULL CHECK (kind IN ('mac', 'serial')),
    value TEXT NOT NULL,
    site_id TEXT NOT NULL REFERENCES sites,
    registered_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (kind, value)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE expected_claimants (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    device_spki TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (kind, value, device_spki)
  ) STRICT, WITHOUT ROWID;
  -- Only the SHA-256 of a code is ever stored.
  CREATE TABLE claim_codes (
    sha256 TEXT PRIMARY KEY,
    alias TEXT NOT NULL,
    made_by TEXT NOT NULL CHECK (made_by IN ('device', 'site')),
    site_id TEXT,
    device_spki TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    used_by TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX claim_codes_by_alias ON claim_codes (alias);
  CREATE TABLE waiting_devices (
    device_spki TEXT PRIMARY KEY,
    tls_spki TEXT NOT NULL,
    csr TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    serial TEXT,
    macs TEXT NOT NULL,
    agent_version TEXT NOT NULL,
    first_claim_at INTEGER NOT NULL,
    last_claim_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE claim_tries (
    kind TEXT NOT NULL CHECK (kind IN ('account', 'address')),
    name TEXT NOT NULL,
    failures INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    locked_until INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE enrolments ADD COLUMN source TEXT NOT NULL DEFAULT 'usb';

  -- Who let what in, and who was kept out.
  CREATE TABLE access_audit (
    access_id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    person TEXT NOT NULL,
    address TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
  ${refuse('access_audit')}

  -- Appliances that were taken out of service, up to and with this epoch. A machine that replaces them begins the next.
  CREATE TABLE decommissioned_appliances (
    appliance_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    reason TEXT NOT NULL,
    person TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (appliance_id, epoch)
  ) STRICT, WITHOUT ROWID;
  ${refuse('decommissioned_appliances')}
  `,
  `
  -- Machines that appliances reach, and the accounts for it. Secrets are sealed with a key that is not in this database. A
  -- credential that nothing uses keeps its version and loses its secret: versions must rise for ever.
  CREATE TABLE target_credentials (
    site_id TEXT NOT NULL REFERENCES sites,
    credential_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    principal TEXT NOT NULL,
    domain TEXT,
    sealed BLOB NOT NULL,
    set_at INTEGER NOT NULL,
    PRIMARY KEY (site_id, credential_id)
  ) STRICT;
  CREATE TABLE targets (
    appliance_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    credential_id TEXT NOT NULL,
    json TEXT NOT NULL,
    mac BLOB NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (appliance_id, target_id)
  ) STRICT;
  `,
  `
  -- What content lists name, by digest.
  CREATE TABLE content_files (sha256 TEXT PRIMARY KEY, bytes BLOB NOT NULL, added_at INTEGER NOT NULL) STRICT;
  ${refuse('content_files')}
  `,
  `
  -- Tickets as appliances told them last: the signed line, and what lists are made from.
  CREATE TABLE tickets (
    appliance_id TEXT NOT NULL,
    ticket_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'settling', 'closed')),
    line TEXT NOT NULL,
    first_received_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (appliance_id, ticket_id)
  ) STRICT;
  CREATE INDEX tickets_by_time ON tickets (received_at);
  `,
  `
  -- Recovery keys of the disks of appliances, sealed to their owner: nobody here can open them. All that ever came stay, also of
  -- machines that were installed anew.
  CREATE TABLE recovery_keys (
    appliance_id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    luks_uuid TEXT,
    sealed BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (appliance_id, sha256)
  ) STRICT;
  ${refuse('recovery_keys')}
  `,
];
