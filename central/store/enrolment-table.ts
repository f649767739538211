import type Database from 'better-sqlite3';

export interface TokenRow {
  readonly sha256: string;
  readonly site_id: string;
  readonly created_at: number;
  readonly expires_at: number;
  /** The first device that claimed with it; null while unused. */
  readonly device_spki: string | null;
}

export interface EnrolmentRow {
  readonly device_spki: string;
  readonly site_id: string;
  readonly tls_spki: string;
  readonly csr: string;
  readonly fingerprint: string;
  readonly serial: string | null;
  readonly agent_version: string;
  /** `replaced`: another machine was enrolled under its appliance id since. */
  readonly state: 'pending' | 'confirmed' | 'replaced';
  readonly appliance_id: string | null;
  readonly approver: string | null;
  readonly first_claim_at: number;
  readonly last_claim_at: number;
  readonly confirmed_at: number | null;
  /** What tied it to its site: a stick's token, a machine that was expected, or a claim code. */
  readonly source: 'usb' | 'mac' | 'qr';
}

/** What a claim says about the device that made it. */
export type ClaimedDevice = Pick<
  EnrolmentRow,
  'device_spki' | 'site_id' | 'tls_spki' | 'csr' | 'fingerprint' | 'serial' | 'agent_version'
> & { readonly source?: EnrolmentRow['source'] };

export interface EnrolmentTable {
  addToken(row: Omit<TokenRow, 'device_spki'>): void;
  token(sha256: string): TokenRow | null;
  useToken(sha256: string, deviceSpki: string): void;
  /** Adds a pending enrolment, or refreshes what a device that is still pending claims. */
  claim(device: ClaimedDevice, at: number): void;
  byDevice(deviceSpki: string): EnrolmentRow | null;
  /** The confirmed device that has this appliance id now. */
  byApplianceId(applianceId: string): EnrolmentRow | null;
  byFingerprint(fingerprint: string): EnrolmentRow | null;
  confirm(deviceSpki: string, applianceId: string, approver: string, at: number): void;
  /** Takes the appliance id from the device that has it. */
  replace(applianceId: string): void;
  list(): EnrolmentRow[];
}

export function enrolmentTable(db: Database.Database): EnrolmentTable {
  const addToken = db.prepare(
    'INSERT INTO tokens (sha256, site_id, created_at, expires_at) VALUES (@sha256, @site_id, @created_at, @expires_at)',
  );
  const token = db.prepare<[string], TokenRow>('SELECT * FROM tokens WHERE sha256 = ?');
  const useToken = db.prepare('UPDATE tokens SET device_spki = ? WHERE sha256 = ? AND device_spki IS NULL');
  const claim = db.prepare(
    `INSERT INTO enrolments
       (device_spki, site_id, tls_spki, csr, fingerprint, serial, agent_version, state, first_claim_at, last_claim_at, source)
     VALUES (@device_spki, @site_id, @tls_spki, @csr, @fingerprint, @serial, @agent_version, 'pending', @at, @at, @source)
     ON CONFLICT (device_spki) DO UPDATE SET tls_spki = excluded.tls_spki, csr = excluded.csr, serial = excluded.serial,
       agent_version = excluded.agent_version, last_claim_at = excluded.last_claim_at`,
  );
  const byDevice = db.prepare<[string], EnrolmentRow>('SELECT * FROM enrolments WHERE device_spki = ?');
  const byAppliance = db.prepare<[string], EnrolmentRow>(
    "SELECT * FROM enrolments WHERE appliance_id = ? AND state = 'confirmed'",
  );
  const byFingerprint = db.prepare<[string], EnrolmentRow>('SELECT * FROM enrolments WHERE fingerprint = ?');
  const confirm = db.prepare(
    `UPDATE enrolments SET state = 'confirmed', appliance_id = ?, approver = ?, confirmed_at = ?
     WHERE device_spki = ? AND state = 'pending'`,
  );
  const replace = db.prepare("UPDATE enrolments SET state = 'replaced' WHERE appliance_id = ? AND state = 'confirmed'");
  const list = db.prepare<[], EnrolmentRow>('SELECT * FROM enrolments ORDER BY first_claim_at, device_spki');
  return {
    addToken: (row) => void addToken.run(row),
    token: (sha256) => token.get(sha256) ?? null,
    useToken: (sha256, deviceSpki) => void useToken.run(deviceSpki, sha256),
    claim: (device, at) => void claim.run({ source: 'usb', ...device, at }),
    byDevice: (deviceSpki) => byDevice.get(deviceSpki) ?? null,
    byApplianceId: (applianceId) => byAppliance.get(applianceId) ?? null,
    byFingerprint: (text) => byFingerprint.get(text) ?? null,
    confirm: (deviceSpki, applianceId, approver, at) => void confirm.run(applianceId, approver, at, deviceSpki),
    replace: (applianceId) => void replace.run(applianceId),
    list: () => list.all(),
  };
}
