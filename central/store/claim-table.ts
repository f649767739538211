// What enrolment without a stick's token rests on: machines that people announced, codes that tie a device to a site, devices
// that wait, and who may not try codes for a while.
import type Database from 'better-sqlite3';

export type HardwareKind = 'mac' | 'serial';

/** A machine that people expect at a site, by what stands on its label. */
export interface ExpectedRow {
  readonly kind: HardwareKind;
  readonly value: string;
  readonly site_id: string;
  readonly registered_by: string;
  readonly created_at: number;
  readonly expires_at: number;
  /** When a device that claimed under it was confirmed; it counts no more then. */
  readonly used_at: number | null;
}

export interface CodeRow {
  readonly sha256: string;
  readonly alias: string;
  /** Who made it: the device that shows it, or people for a site. */
  readonly made_by: 'device' | 'site';
  readonly site_id: string | null;
  /** The device that registered it, or that came with a site's code. */
  readonly device_spki: string | null;
  readonly created_at: number;
  readonly expires_at: number;
  readonly used_at: number | null;
  /** The account that tied it to a site. */
  readonly used_by: string | null;
}

/** A device that claims without a token; known to nobody until people tie it to a site. */
export interface WaitingRow {
  readonly device_spki: string;
  readonly tls_spki: string;
  readonly csr: string;
  readonly fingerprint: string;
  readonly serial: string | null;
  readonly macs: string;
  readonly agent_version: string;
  readonly first_claim_at: number;
  readonly last_claim_at: number;
}

export interface TriesRow {
  readonly kind: 'account' | 'address';
  readonly name: string;
  readonly failures: number;
  readonly first_at: number;
  readonly locked_until: number;
}

export interface ClaimTable {
  expect(row: Omit<ExpectedRow, 'used_at'>): void;
  forget(kind: HardwareKind, value: string): boolean;
  expected(kind: HardwareKind, value: string): ExpectedRow | null;
  expectations(): ExpectedRow[];
  /** Devices that claimed under an expectation, oldest first. */
  claimants(kind: HardwareKind, value: string): string[];
  addClaimant(kind: HardwareKind, value: string, deviceSpki: string, at: number): void;
  /** Ends every expectation under which this device claimed. */
  fulfil(deviceSpki: string, at: number): void;

  addCode(row: Omit<CodeRow, 'used_at' | 'used_by'>): void;
  code(sha256: string): CodeRow | null;
  /** Codes of devices with this alias that are neither used nor past their time. */
  openByAlias(alias: string, now: number): CodeRow[];
  useCode(sha256: string, o: { siteId: string; deviceSpki: string; by: string; at: number }): void;
  /** Drops what ended before `now`, an older open code of this device, and the oldest of devices beyond `keep`. */
  dropCodes(now: number, deviceSpki: string | null, keep: number): void;
  codes(): CodeRow[];

  /** Notes that the device is there; the longest unheard one goes beyond `keep`. */
  wait(row: Omit<WaitingRow, 'first_claim_at' | 'last_claim_at'>, at: number, keep: number): void;
  waiting(): WaitingRow[];
  waitingDevice(deviceSpki: string): WaitingRow | null;

  tries(kind: TriesRow['kind'], name: string): TriesRow | null;
  saveTries(row: TriesRow): void;
  forgetTries(kind: TriesRow['kind'], name: string): void;
  locked(now: number): TriesRow[];
}

export function claimTable(db: Database.Database): ClaimTable {
  const expect = db.prepare(
    `INSERT INTO expected_machines VALUES (@kind, @value, @site_id, @registered_by, @created_at, @expires_at, NULL)
     ON CONFLICT (kind, value) DO UPDATE SET site_id = excluded.site_id, registered_by = excluded.registered_by,
       created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = NULL`,
  );
  const forgetClaimants = db.prepare('DELETE FROM expected_claimants WHERE kind = ? AND value = ?');
  const forget = db.prepare('DELETE FROM expected_machines WHERE kind = ? AND value = ?');
  const expected = db.prepare<[string, string], ExpectedRow>(
    'SELECT * FROM expected_machines WHERE kind = ? AND value = ?',
  );
  const expectations = db.prepare<[], ExpectedRow>('SELECT * FROM expected_machines ORDER BY created_at, kind, value');
  const claimants = db
    .prepare<[string, string], string>(
      'SELECT device_spki FROM expected_claimants WHERE kind = ? AND value = ? ORDER BY at, device_spki',
    )
    .pluck();
  const addClaimant = db.prepare('INSERT OR IGNORE INTO expected_claimants VALUES (?, ?, ?, ?)');
  const fulfil = db.prepare(
    `UPDATE expected_machines SET used_at = ? WHERE used_at IS NULL AND EXISTS (SELECT 1 FROM expected_claimants c
       WHERE c.kind = expected_machines.kind AND c.value = expected_machines.value AND c.device_spki = ?)`,
  );
  const addCode = db.prepare(
    `INSERT INTO claim_codes VALUES
       (@sha256, @alias, @made_by, @site_id, @device_spki, @created_at, @expires_at, NULL, NULL)`,
  );
  const code = db.prepare<[string], CodeRow>('SELECT * FROM claim_codes WHERE sha256 = ?');
  const byAlias = db.prepare<[string, number], CodeRow>(
    "SELECT * FROM claim_codes WHERE alias = ? AND made_by = 'device' AND used_at IS NULL AND expires_at > ?",
  );
  const useCode = db.prepare(
    `UPDATE claim_codes SET site_id = @siteId, device_spki = @deviceSpki, used_at = @at, used_by = @by
     WHERE sha256 = @sha256 AND used_at IS NULL`,
  );
  const dropEnded = db.prepare('DELETE FROM claim_codes WHERE used_at IS NULL AND expires_at <= ?');
  const dropOlder = db.prepare(
    "DELETE FROM claim_codes WHERE used_at IS NULL AND made_by = 'device' AND device_spki = ?",
  );
  const dropBeyond = db.prepare(
    `DELETE FROM claim_codes WHERE used_at IS NULL AND made_by = 'device' AND sha256 NOT IN (SELECT sha256
       FROM claim_codes WHERE used_at IS NULL AND made_by = 'device' ORDER BY created_at DESC, sha256 LIMIT ?)`,
  );
  const codes = db.prepare<[], CodeRow>('SELECT * FROM claim_codes ORDER BY created_at DESC, sha256');
  const wait = db.prepare(
    `INSERT INTO waiting_devices VALUES
       (@device_spki, @tls_spki, @csr, @fingerprint, @serial, @macs, @agent_version, @at, @at)
     ON CONFLICT (device_spki) DO UPDATE SET tls_spki = excluded.tls_spki, csr = excluded.csr,
       serial = excluded.serial, macs = excluded.macs, agent_version = excluded.agent_version, last_claim_at = @at`,
  );
  const dropWaiting = db.prepare(
    `DELETE FROM waiting_devices WHERE device_spki NOT IN (SELECT device_spki FROM waiting_devices
       ORDER BY last_claim_at DESC, device_spki LIMIT ?)`,
  );
  const waiting = db.prepare<[], WaitingRow>('SELECT * FROM waiting_devices ORDER BY first_claim_at, device_spki');
  const waitingDevice = db.prepare<[string], WaitingRow>('SELECT * FROM waiting_devices WHERE device_spki = ?');
  const tries = db.prepare<[string, string], TriesRow>('SELECT * FROM claim_tries WHERE kind = ? AND name = ?');
  const saveTries = db.prepare(
    `INSERT OR REPLACE INTO claim_tries VALUES (@kind, @name, @failures, @first_at, @locked_until)`,
  );
  const forgetTries = db.prepare('DELETE FROM claim_tries WHERE kind = ? AND name = ?');
  const locked = db.prepare<[number], TriesRow>('SELECT * FROM claim_tries WHERE locked_until > ? ORDER BY kind, name');
  return {
    expect: (row) => {
      forgetClaimants.run(row.kind, row.value);
      expect.run(row);
    },
    forget: (kind, value) => {
      forgetClaimants.run(kind, value);
      return forget.run(kind, value).changes > 0;
    },
    expected: (kind, value) => expected.get(kind, value) ?? null,
    expectations: () => expectations.all(),
    claimants: (kind, value) => claimants.all(kind, value),
    addClaimant: (kind, value, deviceSpki, at) => void addClaimant.run(kind, value, deviceSpki, at),
    fulfil: (deviceSpki, at) => void fulfil.run(at, deviceSpki),
    addCode: (row) => void addCode.run(row),
    code: (sha256) => code.get(sha256) ?? null,
    openByAlias: (alias, now) => byAlias.all(alias, now),
    useCode: (sha256, o) => void useCode.run({ sha256, ...o }),
    dropCodes: (now, deviceSpki, keep) => {
      dropEnded.run(now);
      if (deviceSpki !== null) dropOlder.run(deviceSpki);
      dropBeyond.run(keep);
    },
    codes: () => codes.all(),
    wait: (row, at, keep) => {
      wait.run({ ...row, at });
      dropWaiting.run(keep);
    },
    waiting: () => waiting.all(),
    waitingDevice: (deviceSpki) => waitingDevice.get(deviceSpki) ?? null,
    tries: (kind, name) => tries.get(kind, name) ?? null,
    saveTries: (row) => void saveTries.run(row),
    forgetTries: (kind, name) => void forgetTries.run(kind, name),
    locked: (now) => locked.all(now),
  };
}
