import type Database from 'better-sqlite3';

/** An account on targets of a site. The secret is sealed (central/keys/target-vault.ts). */
export interface CredentialRow {
  readonly site_id: string;
  readonly credential_id: string;
  /** Rises with each secret. */
  readonly version: number;
  readonly principal: string;
  readonly domain: string | null;
  readonly sealed: Buffer;
  readonly set_at: number;
}

/** A machine that an appliance reaches. */
export interface TargetRow {
  readonly appliance_id: string;
  readonly target_id: string;
  readonly credential_id: string;
  /** Everything that is sent of it, but for the credential: JSON. */
  readonly json: string;
  /** Over all of the row: where a secret goes cannot be changed in the database alone. */
  readonly mac: Buffer;
  readonly added_at: number;
}

export interface TargetsTable {
  credential(siteId: string, credentialId: string): CredentialRow | null;
  credentials(siteId: string): CredentialRow[];
  /** Replaces the version before it, whose secret is then nowhere. */
  setCredential(row: CredentialRow): void;
  /** Takes the secret away; the version stays, so that the next one is higher. */
  forgetSecret(siteId: string, credentialId: string): void;
  put(row: TargetRow): void;
  /** @returns whether there was one */
  remove(applianceId: string, targetId: string): boolean;
  /** By id. */
  of(applianceId: string): TargetRow[];
  all(): TargetRow[];
}

export function targetsTable(db: Database.Database): TargetsTable {
  const credential = db.prepare<[string, string], CredentialRow>(
    'SELECT * FROM target_credentials WHERE site_id = ? AND credential_id = ?',
  );
  const credentials = db.prepare<[string], CredentialRow>(
    'SELECT * FROM target_credentials WHERE site_id = ? ORDER BY credential_id',
  );
  const setCredential = db.prepare(
    `INSERT OR REPLACE INTO target_credentials
       VALUES (@site_id, @credential_id, @version, @principal, @domain, @sealed, @set_at)`,
  );
  const forget = db.prepare("UPDATE target_credentials SET sealed = x'' WHERE site_id = ? AND credential_id = ?");
  const put = db.prepare(
    'INSERT OR REPLACE INTO targets VALUES (@appliance_id, @target_id, @credential_id, @json, @mac, @added_at)',
  );
  const remove = db.prepare('DELETE FROM targets WHERE appliance_id = ? AND target_id = ?');
  const of = db.prepare<[string], TargetRow>('SELECT * FROM targets WHERE appliance_id = ? ORDER BY target_id');
  const all = db.prepare<[], TargetRow>('SELECT * FROM targets ORDER BY appliance_id, target_id');
  return {
    credential: (siteId, credentialId) => credential.get(siteId, credentialId) ?? null,
    credentials: (siteId) => credentials.all(siteId),
    setCredential: (row) => void setCredential.run(row),
    forgetSecret: (siteId, credentialId) => void forget.run(siteId, credentialId),
    put: (row) => void put.run(row),
    remove: (applianceId, targetId) => remove.run(applianceId, targetId).changes > 0,
    of: (applianceId) => of.all(applianceId),
    all: () => all.all(),
  };
}
