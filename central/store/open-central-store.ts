// The database of Central Command: one SQLite file that the server and the command line share (WAL, every commit synced).
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { AgentError } from '../../agent/errors/agent-error.ts';
import { MIGRATIONS } from './migrations.ts';
import { accessTable, type AccessTable } from './access-table.ts';
import { alarmTable, type AlarmTable } from './alarm-table.ts';
import { auditTable, type AuditTable } from './audit-table.ts';
import { applianceTable, type ApplianceTable } from './appliance-table.ts';
import { authorisationTable, type AuthorisationTable } from './authorisation-table.ts';
import { claimTable, type ClaimTable } from './claim-table.ts';
import { checkinTable, type CheckinTable } from './checkin-table.ts';
import { documentTable, type DocumentTable } from './document-table.ts';
import { enrolmentTable, type EnrolmentTable } from './enrolment-table.ts';
import { epochTable, type EpochTable } from './epoch-table.ts';
import { evidenceTable, type EvidenceTable } from './evidence-table.ts';
import { objectTable, type ObjectTable } from './object-table.ts';
import { orderTable, type OrderTable } from './order-table.ts';
import { recoveryKeyTable, type RecoveryKeyTable } from './recovery-key-table.ts';
import { targetsTable, type TargetsTable } from './target-table.ts';
import { ticketTable, type TicketTable } from './ticket-table.ts';
import { witnessTable, type WitnessTable } from './witness-table.ts';

/** How long a statement waits for the other process (server or command line) to commit. */
const BUSY_TIMEOUT_MS = 5_000;

export interface CentralStore {
  readonly access: AccessTable;
  readonly alarms: AlarmTable;
  readonly appliances: ApplianceTable;
  readonly audit: AuditTable;
  readonly authorisations: AuthorisationTable;
  readonly checkins: CheckinTable;
  readonly claims: ClaimTable;
  readonly documents: DocumentTable;
  readonly enrolments: EnrolmentTable;
  readonly epochs: EpochTable;
  readonly evidence: EvidenceTable;
  readonly objects: ObjectTable;
  readonly orders: OrderTable;
  readonly recoveryKeys: RecoveryKeyTable;
  readonly targets: TargetsTable;
  readonly tickets: TicketTable;
  readonly witness: WitnessTable;
  /** Value of a setting of this installation; null when it was never set. */
  setting(key: SettingKey): string | null;
  setSetting(key: SettingKey, value: string): void;
  /** One transaction that holds the write lock from its start; nested calls join it. */
  unit<T>(work: () => T): T;
  close(): void;
}

export type SettingKey =
  | 'deployment_mode'
  | 'public_url'
  | 'backup_ca_pin'
  | 'backup_ca_pem'
  /** Number of the CA in use; 1 where it was never switched. */
  | 'ca_generation'
  /** Certificates of the CAs before it, in PEM. */
  | 'former_ca_pem'
  /** Version of the partner document that was drafted last. */
  | 'partner_file_version'
  /** Where evidence is kept (evidence-store/store-address.ts); the folder when it was never set. */
  | 'evidence_store'
  /** How what is stored there is protected, as found at the last start. */
  | 'evidence_protection'
  /** Random id of this installation. */
  | 'installation_id';

export const databasePath = (dataDir: string): string => join(dataDir, 'central.db');

/**
 * Opens the database of `dataDir` and brings it to this version's tables.
 *
 * @param create make the file when there is none (only `init` does)
 * @throws AgentError central_missing, central_damaged
 */
export function openCentralStore(dataDir: string, o: { create?: boolean } = {}): CentralStore {
  const path = databasePath(dataDir);
  if (o.create !== true && !existsSync(path)) {
    throw new AgentError('central_missing', 'there is no central.db in the data folder', { place: dataDir });
  }
  const db = open(path);
  const table = {
    access: accessTable(db),
    alarms: alarmTable(db),
    appliances: applianceTable(db),
    audit: auditTable(db),
    authorisations: authorisationTable(db),
    checkins: checkinTable(db),
    claims: claimTable(db),
    documents: documentTable(db),
    enrolments: enrolmentTable(db),
    epochs: epochTable(db),
    evidence: evidenceTable(db),
    objects: objectTable(db),
    orders: orderTable(db),
    recoveryKeys: recoveryKeyTable(db),
    targets: targetsTable(db),
    tickets: ticketTable(db),
    witness: witnessTable(db),
  };
  const get = db.prepare<[string], { value: string }>('SELECT value FROM settings WHERE key = ?');
  const set = db.prepare('INSERT INTO settings VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value');
  return {
    ...table,
    setting: (key) => get.get(key)?.value ?? null,
    setSetting: (key, value) => void set.run(key, value),
    unit: (work) => (db.inTransaction ? work() : db.transaction(work).immediate()),
    close: () => void db.close(),
  };
}

function open(path: string): Database.Database {
  try {
    const db = new Database(path);
    chmodSync(path, 0o600);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    db.pragma('foreign_keys = ON');
    migrate(db, path);
    return db;
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw new AgentError('central_damaged', 'the database cannot be opened', { place: path, cause });
  }
}

function migrate(db: Database.Database, place: string): void {
  const run = db.transaction(() => {
    const from = Number(db.pragma('user_version', { simple: true }));
    if (from > MIGRATIONS.length) {
      throw new AgentError(
        'central_damaged',
        `the database is of version ${from}, this program knows ${MIGRATIONS.length}`,
        {
          place,
        },
      );
    }
    for (const sql of MIGRATIONS.slice(from)) db.exec(sql);
    if (from < MIGRATIONS.length) db.pragma(`user_version = ${MIGRATIONS.length}`);
  });
  run.immediate();
}
