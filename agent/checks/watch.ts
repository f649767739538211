// What the baseline declares about where probes look. Pure.
import type { AvEdrWatch, BackupWatch, LoggingWatch, Watch } from '../facts/watch.ts';
import type { AvEdrBaseline } from './baseline-av-edr.ts';
import type { BackupBaseline } from './baseline-backup.ts';
import type { LoggingBaseline } from './baseline-logging.ts';
import type { LoadedBaseline } from './baseline.ts';

function backupWatch(declared: BackupBaseline): BackupWatch {
  return {
    repositoryFile: declared.repository_file,
    passwordFile: declared.password_file,
    host: declared.host === 'any' ? null : declared.host,
    paths: declared.paths,
    readDataPercent: declared.integrity.read_data_percent,
    restorePath: declared.restore_test.path,
  };
}

function avEdrWatch(declared: AvEdrBaseline): AvEdrWatch {
  return {
    unit: declared.unit,
    binary: declared.binary,
    databaseDir: declared.signatures.expected === 'none' ? null : declared.signatures.database_dir,
    scanUnit: declared.scan.expected === 'none' ? null : declared.scan.unit,
    configFile: declared.exclusions.expected === 'none' ? null : declared.exclusions.config_file,
  };
}

function loggingWatch(declared: LoggingBaseline): LoggingWatch {
  return { forwarder: declared.forwarder === 'none' ? null : declared.forwarder };
}

/** A check that the baseline does not declare has no place to look at. */
export function watchOf({ checks }: Pick<LoadedBaseline, 'checks'>): Watch {
  return {
    ...(checks.backup?.expected === 'declared' ? { backup: backupWatch(checks.backup) } : {}),
    ...(checks.av_edr?.expected === 'declared' ? { avEdr: avEdrWatch(checks.av_edr) } : {}),
    ...(checks.logging?.expected === 'declared' ? { logging: loggingWatch(checks.logging) } : {}),
  };
}
