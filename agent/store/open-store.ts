// The store: all state of the appliance in one SQLite file, written by one process in units of work that are on the
// disk when they return. Rooms share a unit, so an entry, a floor and a journal row commit together or not at all.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../system/ports.ts';
import { AgentError } from '../errors/agent-error.ts';
import { createPrivateFile, openConnection } from './connection.ts';
import type { Db } from './connection.ts';
import { checkpointsTable } from './checkpoints.ts';
import type { CheckpointsTable } from './checkpoints.ts';
import { contentFiles } from './content-files.ts';
import type { ContentFiles } from './content-files.ts';
import { copyReadable } from './copy-readable.ts';
import type { DamagedStore } from './damaged-store.ts';
import { entriesTable } from './entries.ts';
import type { EntriesTable } from './entries.ts';
import { findingsTable } from './findings.ts';
import type { FindingsTable } from './findings.ts';
import { assertOurFile, assertSound, migrate, noteOpened, soundness } from './integrity.ts';
import { incidentsTable } from './incidents.ts';
import type { IncidentsTable } from './incidents.ts';
import { learningTable } from './learning-cases.ts';
import type { LearningTable } from './learning-cases.ts';
import { ordersTable } from './orders.ts';
import { plannerTable } from './planner-calls.ts';
import type { PlannerTable } from './planner-calls.ts';
import { prunesTable } from './prunes.ts';
import type { PrunesTable } from './prunes.ts';
import type { OrdersTable } from './orders.ts';
import { runbookRunsTable } from './runbook-runs.ts';
import type { RunbookRunsTable } from './runbook-runs.ts';
import { settingsTable } from './settings.ts';
import type { SettingsTable } from './settings.ts';
import { targetIdentitiesTable } from './target-identities.ts';
import type { TargetIdentitiesTable } from './target-identities.ts';
import { guarded } from './sqlite-errors.ts';
import { ticketsTable } from './tickets.ts';
import type { TicketsTable } from './tickets.ts';
import { tilesTable } from './tiles.ts';
import { timestampsTable } from './timestamps.ts';
import type { TimestampsTable } from './timestamps.ts';
import type { TilesTable } from './tiles.ts';
import { trustTable } from './trust-documents.ts';
import type { TrustTable } from './trust-documents.ts';
import { uplinkTable } from './uplink-state.ts';
import type { UplinkTable } from './uplink-state.ts';
import { takeWriterLock } from './writer-lock.ts';

export type { DamagedStore } from './damaged-store.ts';
export type { CheckpointRow } from './checkpoints.ts';
export type { PruneRow } from './prunes.ts';
export type { EntryRow } from './entries.ts';
export type { FindingState } from './findings.ts';
export type { IncidentLine, IncidentRow } from './incidents.ts';
export type { CaseRow, PatternRow } from './learning-cases.ts';
export type { OrderChange, OrderRow, OrderState, RefusalRow, ReportRow } from './orders.ts';
export type { NewRun, RunRow, RunState } from './runbook-runs.ts';
export type { PlannerCallRow, PlannerTexts } from './planner-calls.ts';
export type { DocumentRow, EnrolledIdentity, RootRow, SignedTimeRow } from './trust-documents.ts';
export type { ParkedRow, ReceiptRow, TrafficRow } from './uplink-state.ts';

export const DATABASE_FILE = 'agent.db';
export const LOCK_FILE = 'lock.db';

export interface Store {
  /** BEGIN IMMEDIATE … COMMIT around `fn`, which must not await. Nested calls join; a nested one that throws is undone alone. */
  unit<T>(fn: () => T): T;
  readonly entries: EntriesTable;
  readonly tiles: TilesTable;
  readonly checkpoints: CheckpointsTable;
  readonly timestamps: TimestampsTable;
  readonly prunes: PrunesTable;
  readonly orders: OrdersTable;
  readonly findings: FindingsTable;
  readonly incidents: IncidentsTable;
  readonly runs: RunbookRunsTable;
  readonly targetIdentities: TargetIdentitiesTable;
  readonly planner: PlannerTable;
  readonly learning: LearningTable;
  readonly trust: TrustTable;
  readonly uplink: UplinkTable;
  readonly settings: SettingsTable;
  readonly tickets: TicketsTable;
  /** Files beside the database: what the content list names. */
  readonly content: ContentFiles;
  /** Takes over from a damaged database what must not be forgotten and can still be read. Within the caller's unit. */
  takeOver(damaged: DamagedStore): void;
  /** Writes a consistent copy to a new file (mode 0600); an existing file is refused. Not inside a unit. */
  backupTo(path: string): void;
  /** `ok`, or a sentence on the first damage found (integrity.ts). Reads up to 64 MiB: not for every cycle. */
  pragmaCheck(): string;
  close(): void;
}

export interface StoreOptions {
  /** State directory; made (0700) when missing. */
  readonly dir: string;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** For the CLI: no lock, no migration, no check at the start; a write throws `store_read_only`. */
  readonly readOnly?: boolean;
}

/**
 * Opens the store in `dir`. Throws store_locked, store_too_new, store_corrupt, store_read_only, store_full, store_io,
 * and store_missing where a read-only caller comes before the daemon's first start.
 */
export function openStore({ dir, clock, readOnly = false }: StoreOptions): Store {
  const path = join(dir, DATABASE_FILE);
  if (readOnly) {
    if (!existsSync(path)) throw new AgentError('store_missing', 'there is no store yet', { place: path });
    const db = openConnection(path, { readOnly });
    return closingOnError(db, () => {
      if (assertOurFile(db)) throw new AgentError('store_missing', 'the store is still empty', { place: path });
      return storeOf(db, () => undefined);
    });
  }
  guarded(dir, () => mkdirSync(dir, { recursive: true, mode: 0o700 }));
  const unlock = takeWriterLock(join(dir, LOCK_FILE));
  try {
    const db = openConnection(path, { readOnly });
    return closingOnError(db, () => {
      const isNew = assertOurFile(db);
      if (!isNew) assertSound(db);
      migrate(db);
      noteOpened(db, clock.wallMs());
      if (isNew) syncDirectory(dir);
      return storeOf(db, unlock);
    });
  } catch (error) {
    unlock();
    throw error;
  }
}

function closingOnError(db: Db, fn: () => Store): Store {
  try {
    return fn();
  } catch (error) {
    db.raw.close();
    throw error;
  }
}

function storeOf(db: Db, unlock: () => void): Store {
  return {
    unit: db.unit,
    entries: entriesTable(db),
    tiles: tilesTable(db),
    checkpoints: checkpointsTable(db),
    timestamps: timestampsTable(db),
    prunes: prunesTable(db),
    orders: ordersTable(db),
    findings: findingsTable(db),
    incidents: incidentsTable(db),
    runs: runbookRunsTable(db),
    targetIdentities: targetIdentitiesTable(db),
    planner: plannerTable(db),
    learning: learningTable(db),
    trust: trustTable(db),
    uplink: uplinkTable(db),
    settings: settingsTable(db),
    tickets: ticketsTable(db),
    content: contentFiles(dirname(db.path)),
    takeOver: (damaged) => copyReadable(db, damaged),
    backupTo: (path) => backup(db, path),
    pragmaCheck: () => soundness(db),
    close: () => {
      guarded(db.path, () => db.raw.close());
      unlock();
    },
  };
}

function backup(db: Db, path: string): void {
  if (db.raw.inTransaction) throw new AgentError('internal', 'a backup cannot run inside a unit of work');
  guarded(path, () => {
    if (existsSync(path)) throw new AgentError('backup_exists', 'the backup file exists already', { place: path });
    createPrivateFile(path);
    db.raw.prepare('VACUUM INTO ?').run(path);
    const file = openSync(path, 'r');
    fsyncSync(file);
    closeSync(file);
    syncDirectory(dirname(path));
  });
}

/** Makes a new file's name as durable as its content. */
function syncDirectory(dir: string): void {
  const handle = openSync(dir, 'r');
  fsyncSync(handle);
  closeSync(handle);
}
