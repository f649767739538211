// What the baseline declares for `backup`.
import * as v from 'valibot';
import { int } from '../wire/schemas/primitives.ts';
import { absolutePath, serviceName } from './expected-none.ts';

export const backupBaseline = v.strictObject({
  expected: v.literal('declared'),
  /** The service that makes a backup and ends; absent: nobody but its own timer or people start it. */
  unit: v.optional(serviceName),
  /** Holds the location of the restic repository, as restic's --repository-file takes it. */
  repository_file: absolutePath,
  password_file: absolutePath,
  /** Whose snapshots count, by the name that restic recorded; `any` counts all. */
  host: v.union([v.literal('any'), v.pipe(v.string(), v.regex(/^[A-Za-z0-9._-]{1,255}$/))]),
  /** What a snapshot has to hold to count, as restic recorded it; empty counts all. */
  paths: v.pipe(v.array(absolutePath), v.maxLength(64)),
  snapshot_hours: int(1, 8_760),
  snapshot_critical_hours: int(1, 8_760),
  /** How far ahead of our clock another machine's may be. */
  clock_tolerance_minutes: int(0, 1_440),
  /** restic renews a lock every five minutes while it works; an older one was left behind. */
  lock_minutes: int(6, 10_080),
  integrity: v.strictObject({ days: int(1, 366), read_data_percent: int(1, 100) }),
  restore_test: v.strictObject({ days: int(1, 366), path: absolutePath }),
});
export type BackupBaseline = v.InferOutput<typeof backupBaseline>;
