// Where probes look, for those whose place is declared (in the signed baseline) rather than known.

export interface BackupWatch {
  /** File that holds the location of the restic repository: a location may carry a password, so it is on no command line. */
  readonly repositoryFile: string;
  readonly passwordFile: string;
  /** Snapshots of other machines do not count; null: any. */
  readonly host: string | null;
  /** A snapshot counts when it holds all of these. */
  readonly paths: readonly string[];
  /** How much of the stored data the integrity job reads. */
  readonly readDataPercent: number;
  /** File or folder of the newest snapshot that the restore test restores. */
  readonly restorePath: string;
}

export interface AvEdrWatch {
  readonly unit: string;
  readonly binary: string;
  /** Folder of ClamAV's databases; null where the product has none. */
  readonly databaseDir: string | null;
  /** Service whose last run was the last scan; null where the product keeps no record of scans. */
  readonly scanUnit: string | null;
  /** clamd.conf, for its exclusions; null where there is none. */
  readonly configFile: string | null;
}

export interface LoggingWatch {
  /** Service that sends the journal elsewhere; null where none is declared. */
  readonly forwarder: string | null;
}

export interface Watch {
  readonly backup?: BackupWatch;
  readonly avEdr?: AvEdrWatch;
  readonly logging?: LoggingWatch;
}
