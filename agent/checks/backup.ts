// Is there a backup that is recent, sound and really restorable?
import type { BackupFacts, JobFacts } from '../facts/backup.ts';
import type { BackupBaseline } from './baseline-backup.ts';
import { conclude, declaredOr, judged, measured, readOr, type Check, type JudgedFacts, type Problem } from './check.ts';

const [MINUTE_S, HOUR_S, DAY_S] = [60, 3_600, 86_400];

type SnapshotState = 'fresh' | 'old' | 'critical' | 'none' | 'future' | 'not_read';
type ProofState = 'proven' | 'old' | 'future' | 'disproven' | 'partial' | 'never' | 'not_read';

interface Part {
  readonly problems: readonly Problem[];
  readonly unknowns: readonly string[];
  readonly facts: JudgedFacts;
}

const hoursSince = (at: number, now: number): number => Math.floor(Math.max(0, now - at) / HOUR_S);

function snapshotState(read: BackupFacts, declared: BackupBaseline, now: number): SnapshotState {
  if (read.repository !== 'open') return 'not_read';
  if (read.newestAt === null) return 'none';
  const age = now - read.newestAt;
  if (age < -declared.clock_tolerance_minutes * MINUTE_S) return 'future';
  if (age > declared.snapshot_critical_hours * HOUR_S) return 'critical';
  return age > declared.snapshot_hours * HOUR_S ? 'old' : 'fresh';
}

function judgeSnapshot(read: BackupFacts, declared: BackupBaseline, now: number): Part {
  const state = snapshotState(read, declared, now);
  const hours = read.newestAt === null ? null : hoursSince(read.newestAt, now);
  const facts = { snapshot: state, snapshot_hours: hours, snapshots: read.snapshots };
  const remedy = 'look at the log of the backup program, and run a backup';
  if (state === 'none') {
    const sentence = 'the repository holds no snapshot that counts';
    return { problems: [{ sentence, remedy, severity: 'critical' }], unknowns: [], facts };
  }
  if (state === 'old' || state === 'critical') {
    const sentence = `the newest snapshot is ${hours} hours old (limit ${declared.snapshot_hours} hours)`;
    return { problems: [{ sentence, remedy, severity: state === 'old' ? 'high' : 'critical' }], unknowns: [], facts };
  }
  const unknowns = state === 'future' ? ['the newest snapshot has a time that lies in the future'] : [];
  return { problems: [], unknowns, facts };
}

function judgeRepository(read: BackupFacts, declared: BackupBaseline, now: number): Part {
  const problems: Problem[] = [];
  if (read.repository === 'missing') {
    problems.push({
      sentence: 'there is no repository at the declared place',
      remedy: 'check that the place is mounted and declared right, then look where the backup went',
      severity: 'critical',
    });
  }
  if (read.repository === 'wrong_password') {
    problems.push({
      sentence: 'the repository does not open with the declared password, so nothing could be restored with it',
      remedy: 'put the right password into the password file',
      severity: 'critical',
    });
  }
  if (read.passwordFileExposed) {
    problems.push({
      sentence: 'others than its owner can read or change the file of the password',
      remedy: 'chmod 600 the password file, and change the password if others may have read it',
      severity: 'high',
    });
  }
  const isStale = read.locks.some((lock) => now - lock.at > declared.lock_minutes * MINUTE_S);
  if (isStale) {
    problems.push({
      sentence: 'a program left a lock in the repository behind',
      remedy: 'make sure that no backup runs, then remove it with restic unlock',
      severity: 'medium',
    });
  }
  const facts = {
    repository: read.repository,
    repository_id: read.repositoryId,
    password_file_exposed: read.passwordFileExposed,
    stale_lock: isStale,
    locks: read.locks.length,
  };
  return { problems, unknowns: [], facts };
}

interface ProofRules {
  readonly days: number;
  readonly isWhole: boolean;
  /** A proof dated further ahead than this was dated by a wrong clock: it says nothing about when. */
  readonly toleranceS: number;
}

function proofState(job: JobFacts, read: BackupFacts, rules: ProofRules, now: number): ProofState {
  if (read.repository !== 'open') return 'not_read';
  if (job.conclusive === null) return 'never';
  if (job.conclusive.outcome !== 'proven') return 'disproven';
  const age = now - job.conclusive.finished_at;
  if (age < -rules.toleranceS) return 'future';
  if (age > rules.days * DAY_S) return 'old';
  return rules.isWhole ? 'proven' : 'partial';
}

/** The last try belongs to the sentence where a proof is missing: it says why. */
function lastTry({ last }: JobFacts): string {
  if (last === null) return 'its job never ran';
  return last.outcome === 'inconclusive' ? `the last run of its job could not tell: ${last.reason}` : 'its job ran';
}

const toleranceS = (declared: BackupBaseline): number => declared.clock_tolerance_minutes * MINUTE_S;

/** A proof from the future is none, and no damage either. */
const futureOf = (state: ProofState, what: string): string[] =>
  state === 'future' ? [`${what} is dated in the future, so the clock was wrong when it ran or is wrong now`] : [];

function judgeIntegrity(read: BackupFacts, declared: BackupBaseline, now: number): Part {
  const job = read.integrity;
  const percent = job.conclusive?.counts.read_data_percent ?? null;
  const isWhole = (percent ?? 0) >= declared.integrity.read_data_percent;
  const state = proofState(
    job,
    read,
    { days: declared.integrity.days, isWhole, toleranceS: toleranceS(declared) },
    now,
  );
  const facts = {
    integrity: state,
    integrity_hours: job.conclusive === null ? null : hoursSince(job.conclusive.finished_at, now),
    integrity_read_percent: percent,
    integrity_last_run: job.last?.outcome ?? 'never',
  };
  const remedy = 'run the job backup-check, and look at what it says';
  const sentences: Partial<Record<ProofState, Problem>> = {
    disproven: {
      sentence: 'the stored backup is damaged: restic found errors when it read it back',
      remedy: 'follow the advice of restic on damaged repositories, and make a new backup now',
      severity: 'critical',
    },
    never: { sentence: `nothing proves that the stored backup is sound: ${lastTry(job)}`, remedy, severity: 'high' },
    partial: {
      sentence: `the last integrity job read ${percent} % of the data, not ${declared.integrity.read_data_percent} %`,
      remedy,
      severity: 'medium',
    },
    old: {
      sentence: `the stored backup was last proven sound more than ${declared.integrity.days} days ago: ${lastTry(job)}`,
      remedy,
      severity: 'high',
    },
  };
  const problem = sentences[state];
  return {
    problems: problem === undefined ? [] : [problem],
    unknowns: futureOf(state, 'the integrity job'),
    facts,
  };
}

function judgeRestore(read: BackupFacts, declared: BackupBaseline, now: number): Part {
  const job = read.restore;
  const state = proofState(
    job,
    read,
    { days: declared.restore_test.days, isWhole: true, toleranceS: toleranceS(declared) },
    now,
  );
  const { listed, restored, identical } = job.conclusive?.counts ?? {};
  const facts = {
    restore: state,
    restore_hours: job.conclusive === null ? null : hoursSince(job.conclusive.finished_at, now),
    restore_files: restored ?? null,
    restore_identical: identical ?? null,
    restore_last_run: job.last?.outcome ?? 'never',
  };
  const remedy = 'run the job backup-restore-test, and look at what it says';
  const counted = listed === undefined ? '' : ` (${restored ?? 0} of ${listed} files came back)`;
  const sentences: Partial<Record<ProofState, Problem>> = {
    disproven: {
      sentence: `the restore test did not bring back what was backed up${counted}`,
      remedy: 'restore by hand from another snapshot, and make a new backup now',
      severity: 'critical',
    },
    never: { sentence: `no restore was ever tested: ${lastTry(job)}`, remedy, severity: 'high' },
    old: {
      sentence: `the last good restore test is more than ${declared.restore_test.days} days old: ${lastTry(job)}`,
      remedy,
      severity: 'high',
    },
  };
  const problem = sentences[state];
  return {
    problems: problem === undefined ? [] : [problem],
    unknowns: futureOf(state, 'the restore test'),
    facts,
  };
}

export const backupCheck: Check = {
  id: 'backup',
  version: 1,
  title: 'A recent backup that is sound and was really restored',
  cadenceS: 1_800,
  probes: ['backup'],
  factKeys: {
    repository: judged('name'),
    repository_id: judged('digest'),
    password_file_exposed: judged('boolean'),
    stale_lock: judged('boolean'),
    locks: measured('integer'),
    snapshot: judged('name'),
    snapshot_hours: measured('integer'),
    snapshots: measured('integer'),
    integrity: judged('name'),
    integrity_hours: measured('integer'),
    integrity_read_percent: judged('integer'),
    integrity_last_run: measured('name'),
    restore: judged('name'),
    restore_hours: measured('integer'),
    restore_files: measured('integer'),
    restore_identical: measured('integer'),
    restore_last_run: measured('name'),
  },
  judge({ facts, baseline, now }) {
    const baselineOr = declaredOr(baseline, 'backup');
    if ('judgement' in baselineOr) return baselineOr.judgement;
    const { declared } = baselineOr;
    const reading = readOr(facts, 'backup', 'the backup');
    if ('judgement' in reading) return reading.judgement;
    const read = reading.value;
    const parts = [judgeRepository, judgeSnapshot, judgeIntegrity, judgeRestore].map((one) => one(read, declared, now));
    const hours = read.newestAt === null ? 0 : hoursSince(read.newestAt, now);
    return conclude({
      problems: parts.flatMap((p) => p.problems),
      unknowns: parts.flatMap((p) => p.unknowns),
      passSentence: `the newest snapshot is ${hours} hours old, restic read back ${read.integrity.conclusive?.counts.read_data_percent ?? 0} % of the data without an error, and a test restored ${read.restore.conclusive?.counts.restored ?? 0} files as they were backed up`,
      facts: Object.assign({}, ...parts.map((p) => p.facts)) as JudgedFacts,
    });
  },
};
