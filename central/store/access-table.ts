// Who let what in, and who was kept out: the record of enrolment and of what people did to it. Append-only.
import type Database from 'better-sqlite3';

export type AccessAction =
  | 'token_made'
  | 'machine_expected'
  | 'machine_forgotten'
  | 'claim_code_made'
  | 'claim_approved'
  | 'claim_wrong'
  | 'claim_locked'
  | 'claim_unlocked'
  | 'appliance_confirmed'
  | 'appliance_revoked'
  | 'appliance_vouched'
  | 'appliance_decommissioned'
  | 'ca_added'
  | 'ca_switched'
  | 'target_added'
  | 'target_removed'
  | 'target_secret_set';

export interface AccessRow {
  readonly access_id: number;
  readonly at: number;
  readonly action: AccessAction;
  /** Site, appliance, account or address: what it was done to. */
  readonly subject: string;
  /** Who did it; empty where nobody said. */
  readonly person: string;
  /** Where from, as the caller knows it; empty where nobody said. */
  readonly address: string;
  readonly detail: string;
}

export interface AccessTable {
  add(
    row: Pick<AccessRow, 'at' | 'action' | 'subject'> & Partial<Pick<AccessRow, 'person' | 'address' | 'detail'>>,
  ): void;
  /** Newest first. */
  list(limit: number): AccessRow[];
}

export function accessTable(db: Database.Database): AccessTable {
  const add = db.prepare(
    `INSERT INTO access_audit (at, action, subject, person, address, detail)
     VALUES (@at, @action, @subject, @person, @address, @detail)`,
  );
  const list = db.prepare<[number], AccessRow>('SELECT * FROM access_audit ORDER BY access_id DESC LIMIT ?');
  return {
    add: (row) => void add.run({ person: '', address: '', detail: '', ...row }),
    list: (limit) => list.all(limit),
  };
}
