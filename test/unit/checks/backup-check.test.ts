import { describe, expect, it } from 'vitest';
import type { BackupFacts } from '../../../agent/facts/backup.ts';
import { READ_AT } from '../../support/fixture-facts.ts';
import { baseline, factSet, findingOf, HEALTHY, PROVEN, unreadable } from './sample-facts.ts';

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;
const judge = (change: Partial<BackupFacts>) =>
  findingOf('backup', { facts: factSet({ backup: { ...HEALTHY.backup, ...change } }), now: READ_AT });
const job = (change: object, counts: Record<string, number> = { read_data_percent: 100 }) => ({
  conclusive: { ...PROVEN, counts, ...change },
  last: { outcome: 'proven', reason: null } as const,
});
const never = { conclusive: null, last: null };
const closed = { repositoryId: null, snapshots: null, newestAt: null, locks: [], integrity: never, restore: never };

describe('the backup check', () => {
  it('passes a recent backup that was read back and restored, and names all three', () => {
    const finding = judge({});
    expect([finding.result, finding.facts.snapshot, finding.facts.integrity, finding.facts.restore]).toEqual([
      'pass',
      'fresh',
      'proven',
      'proven',
    ]);
    expect(finding.sentence).toMatch(/5 hours old.*100 %.*7 files/);
  });

  it.each<[string, Partial<BackupFacts>, string, string]>([
    ['the newest snapshot is older than a day', { newestAt: READ_AT - DAY_S - 1 }, 'snapshot', 'high'],
    ['the newest snapshot is older than two days', { newestAt: READ_AT - 2 * DAY_S - 1 }, 'snapshot', 'critical'],
    ['no snapshot counts', { snapshots: 0, newestAt: null }, 'snapshot', 'critical'],
    ['the repository is gone', { ...closed, repository: 'missing' }, 'repository', 'critical'],
    ['the password is wrong', { ...closed, repository: 'wrong_password' }, 'repository', 'critical'],
    ['others can read the password', { passwordFileExposed: true }, 'password_file_exposed', 'high'],
    ['a lock was left behind', { locks: [{ exclusive: false, at: READ_AT - 2 * HOUR_S }] }, 'stale_lock', 'medium'],
    ['the data was never read back', { integrity: never }, 'integrity', 'high'],
    [
      'the data was read back too long ago',
      { integrity: job({ finished_at: READ_AT - 8 * DAY_S - 1 }) },
      'integrity',
      'high',
    ],
    ['only a part was read back', { integrity: job({}, { read_data_percent: 10 }) }, 'integrity', 'medium'],
    ['restic found errors', { integrity: job({ outcome: 'disproven', reason: 'damaged' }) }, 'integrity', 'critical'],
    ['no restore was tested', { restore: never }, 'restore', 'high'],
    ['the restore test is too old', { restore: job({ finished_at: READ_AT - 30 * DAY_S - 1 }) }, 'restore', 'high'],
    [
      'the restore test brought back too little',
      { restore: job({ outcome: 'disproven', reason: 'incomplete' }, { listed: 7, restored: 6 }) },
      'restore',
      'critical',
    ],
  ])('fails where %s', (_what, change, key, severity) => {
    const finding = judge(change);
    expect([finding.result, finding.severity]).toEqual(['fail', severity]);
    expect(finding.facts[key]).not.toEqual(judge({}).facts[key]);
    expect(finding.remedy).toBeTruthy();
  });

  it.each<[string, Partial<BackupFacts>]>([
    ['a snapshot of exactly the limit', { newestAt: READ_AT - DAY_S }],
    ['a lock of a backup that runs', { locks: [{ exclusive: false, at: READ_AT - 240 }] }],
    ['another machine whose clock is a little ahead', { newestAt: READ_AT + 600 }],
    [
      'a later run of a job that could not tell',
      { integrity: { ...HEALTHY.backup.integrity, last: { outcome: 'inconclusive', reason: 'locked' } } },
    ],
  ])('passes with %s', (_what, change) => {
    expect(judge(change).result).toBe('pass');
  });

  it('a snapshot from the future is unknown and never a pass', () => {
    const finding = judge({ newestAt: READ_AT + 601 });
    expect([finding.result, finding.facts.snapshot]).toEqual(['unknown', 'future']);
  });

  it.each<[string, Partial<BackupFacts>]>([
    ['an integrity job', { integrity: job({ finished_at: READ_AT + 3_601 }) }],
    ['a restore test', { restore: job({ finished_at: READ_AT + 10 * 365 * DAY_S }) }],
  ])('%s that a wrong clock dated in the future proves nothing: unknown, never a pass', (_what, change) => {
    expect(judge(change).result).toBe('unknown');
  });

  it('says why a proof is missing when the last run could not tell', () => {
    const integrity = { conclusive: null, last: { outcome: 'inconclusive', reason: 'locked' } } as const;
    expect(judge({ integrity }).sentence).toContain('locked');
  });

  it('is unknown where the repository cannot be reached, and not applicable only where the baseline says so', () => {
    const facts = { ...factSet(), backup: unreadable('backup', 'failed') };
    expect(findingOf('backup', { facts }).result).toBe('unknown');
    const none = baseline((text) =>
      text.replace(/^ {2}backup:\n(?: {4}.*\n)+/m, '  backup:\n    expected: none\n    reason: a test\n'),
    );
    expect(findingOf('backup', { facts, baseline: none }).result).toBe('not_applicable');
  });
});
