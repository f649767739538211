import type Database from 'better-sqlite3';

/** One confirmed identity: the log origin with the keys that the registrar bound to it. */
export interface BindingRow {
  readonly origin: string;
  readonly appliance_id: string;
  readonly epoch: number;
  readonly site_id: string;
  readonly customer_id: string;
  readonly device_spki: string;
  readonly tls_spki: string;
  /** The registrar's signed envelope. */
  readonly line: string;
  readonly issued_at: number;
}

export interface SiteRow {
  readonly site_id: string;
  readonly customer_id: string;
}

export interface CertificateRow {
  readonly serial: string;
  readonly appliance_id: string;
  readonly not_after: number;
  readonly pem: string;
  readonly issued_at: number;
  readonly issued_for: IssuedFor;
}

export type IssuedFor = 'enrolment' | 'renewal' | 'recovery';

export interface RevokedRow {
  readonly appliance_id: string;
  readonly reason: string;
  /** The operator who said so. */
  readonly revoked_by: string;
  readonly revoked_at: number;
}

/** Taken out of service: nothing of this epoch or an earlier one is heard any more. */
export interface DecommissionedRow {
  readonly appliance_id: string;
  readonly epoch: number;
  readonly reason: string;
  readonly person: string;
  readonly at: number;
}

export interface ApplianceTable {
  addSite(site: SiteRow, at: number): void;
  site(siteId: string): SiteRow | null;
  sites(): SiteRow[];
  addBinding(row: BindingRow): void;
  /** The binding of the newest epoch; null before the first. */
  binding(applianceId: string): BindingRow | null;
  bindingOf(origin: string): BindingRow | null;
  /** Of all epochs, newest first. */
  bindings(applianceId: string): BindingRow[];
  addCertificate(row: CertificateRow): void;
  latestCertificate(applianceId: string): CertificateRow | null;
  /** For good; a second call for the same appliance changes nothing. */
  revoke(row: RevokedRow): void;
  revoked(applianceId: string): RevokedRow | null;
  /** For good; a second call for the same epoch changes nothing. */
  decommission(row: DecommissionedRow): void;
  /** Of the newest epoch that is out of service. */
  decommissioned(applianceId: string): DecommissionedRow | null;
}

export function applianceTable(db: Database.Database): ApplianceTable {
  const addSite = db.prepare('INSERT INTO sites VALUES (@site_id, @customer_id, @at)');
  const site = db.prepare<[string], SiteRow>('SELECT site_id, customer_id FROM sites WHERE site_id = ?');
  const sites = db.prepare<[], SiteRow>('SELECT site_id, customer_id FROM sites ORDER BY site_id');
  const addBinding = db.prepare(
    `INSERT INTO bindings VALUES
       (@origin, @appliance_id, @epoch, @site_id, @customer_id, @device_spki, @tls_spki, @line, @issued_at)`,
  );
  const binding = db.prepare<[string], BindingRow>(
    'SELECT * FROM bindings WHERE appliance_id = ? ORDER BY epoch DESC LIMIT 1',
  );
  const bindingOf = db.prepare<[string], BindingRow>('SELECT * FROM bindings WHERE origin = ?');
  const bindings = db.prepare<[string], BindingRow>(
    'SELECT * FROM bindings WHERE appliance_id = ? ORDER BY epoch DESC',
  );
  const addCertificate = db.prepare(
    'INSERT INTO certificates VALUES (@serial, @appliance_id, @not_after, @pem, @issued_at, @issued_for)',
  );
  const latest = db.prepare<[string], CertificateRow>(
    'SELECT * FROM certificates WHERE appliance_id = ? ORDER BY issued_at DESC, rowid DESC LIMIT 1',
  );
  const revoke = db.prepare(
    'INSERT OR IGNORE INTO revoked_appliances VALUES (@appliance_id, @reason, @revoked_by, @revoked_at)',
  );
  const revoked = db.prepare<[string], RevokedRow>('SELECT * FROM revoked_appliances WHERE appliance_id = ?');
  const decommission = db.prepare(
    'INSERT OR IGNORE INTO decommissioned_appliances VALUES (@appliance_id, @epoch, @reason, @person, @at)',
  );
  const decommissioned = db.prepare<[string], DecommissionedRow>(
    'SELECT * FROM decommissioned_appliances WHERE appliance_id = ? ORDER BY epoch DESC LIMIT 1',
  );
  return {
    addSite: (row, at) => void addSite.run({ ...row, at }),
    site: (siteId) => site.get(siteId) ?? null,
    sites: () => sites.all(),
    addBinding: (row) => void addBinding.run(row),
    binding: (applianceId) => binding.get(applianceId) ?? null,
    bindings: (applianceId) => bindings.all(applianceId),
    bindingOf: (origin) => bindingOf.get(origin) ?? null,
    addCertificate: (row) => void addCertificate.run(row),
    latestCertificate: (applianceId) => latest.get(applianceId) ?? null,
    revoke: (row) => void revoke.run(row),
    revoked: (applianceId) => revoked.get(applianceId) ?? null,
    decommission: (row) => void decommission.run(row),
    decommissioned: (applianceId) => decommissioned.get(applianceId) ?? null,
  };
}
