// RB-WIN-BACKUP-001: the last good backup, whether anything was brought back from one, and starting one more.
import type { Json, LabState, Scenario, ScenarioBook } from '../scenario.ts';
import { machine, withoutSection, withValue } from './machines.ts';

const RESTORED = { JobType: 'FileRecovery', JobState: 'Completed', EndTime: '2026-11-10T12:00:00Z', HResult: 0 };
const BACKED_UP = { JobType: 'Backup', JobState: 'Completed', EndTime: '2026-11-19T22:40:00Z', HResult: 0 };

const WSB = {
  summary: {
    LastSuccessfulBackupTime: '2026-11-19T22:40:00Z',
    LastBackupTime: '2026-11-19T22:40:00Z',
    LastBackupResultHR: 0,
    NumberOfVersions: 14,
    NextBackupTime: '2026-11-20T22:00:00Z',
  },
  policy: true,
  jobs: [BACKED_UP, RESTORED],
  target: { sets: ['2026-11-19T22:40:00Z', '2026-11-18T22:40:00Z'] },
  minutes: 40,
  ends: 'good',
};
const OLD_WSB = {
  ...WSB,
  summary: { ...WSB.summary, LastSuccessfulBackupTime: '2026-11-16T22:40:00Z', LastBackupTime: '2026-11-16T22:40:00Z' },
  target: { sets: ['2026-11-16T22:40:00Z'] },
};

const job = (other: Readonly<Record<string, Json>> = {}): Json => ({
  next: '2026-11-20T22:00:00Z',
  state: 'Stopped',
  result: 'Success',
  ended: '2026-11-19T23:10:00Z',
  successes: ['2026-11-19T23:10:00Z'],
  ...other,
});
const VEEAM = {
  jobs: [job()],
  points: [false, false],
  surebackup: [{ State: 'Stopped', Result: 'Success', EndTime: '2026-11-15T03:00:00Z' }],
  minutes: 30,
  ends: 'good',
};

const withWsb = (wsb: Json = WSB): LabState => machine('member_server', { wsb });
const withVeeam = (veeam: Json = VEEAM): LabState => machine('member_server', { veeam });
const HOUR_S = 3_600;

const look = (
  name: string,
  title: string,
  state: LabState,
  result: 'pass' | 'fail' | 'unknown' | 'not_applicable',
  says: readonly string[],
  other: Partial<Scenario> = {},
): Scenario => ({ name, title, state, steps: [{ phase: 'detect', expect: { result, says } }], ...other });

export const backup: ScenarioBook = {
  runbook: 'RB-WIN-BACKUP-001',
  areas: ['backup'],
  removal: 'healthy',
  scenarios: [
    look(
      'healthy',
      'both products made a backup last night, and something was brought back',
      machine('member_server', { wsb: WSB, veeam: VEEAM }),
      'pass',
      ['something was brought back'],
    ),
    {
      name: 'drifted-and-healed',
      title:
        'the backup of Windows Server stood still for days, one more is started, a later look finds it good, and a second run changes nothing',
      state: withWsb(OLD_WSB),
      steps: [
        { phase: 'detect', expect: { result: 'fail', says: ['83 hours old (limit 24)'] } },
        { phase: 'plan', expect: { status: 'changed', changes: ['windows_server_backup'] } },
        { phase: 'remediate', expect: { status: 'started', changes: ['windows_server_backup'] } },
        // A minute later nothing is proven, whatever was started.
        { wait: 60 },
        { phase: 'verify', expect: { result: 'fail', says: ['83 hours old'] } },
        { phase: 'remediate', expect: { status: 'started', changes: [] } },
        { wait: HOUR_S },
        { phase: 'verify', expect: { result: 'pass', says: ['the last good backup is 0 hours old'] } },
        { phase: 'remediate', expect: { status: 'nothing_to_do', changes: [] } },
      ],
    },
    {
      name: 'started-and-failed',
      title: 'the backup that was started ends with an error',
      state: withWsb({ ...OLD_WSB, ends: 'bad' }),
      steps: [
        { phase: 'remediate', expect: { status: 'started', changes: ['windows_server_backup'] } },
        { wait: HOUR_S },
        {
          phase: 'verify',
          expect: {
            result: 'fail',
            says: ['hours old (limit 24)', 'ended with an error'],
            facts: { wsb_result: 0x80780063 },
          },
        },
      ],
    },
    {
      name: 'veeam-healed',
      title: 'one of two jobs of Veeam failed, it is started again, and a later look finds both good',
      state: withVeeam({
        ...VEEAM,
        jobs: [job(), job({ result: 'Failed', ended: '2026-11-19T23:30:00Z', successes: ['2026-11-17T23:10:00Z'] })],
      }),
      steps: [
        { phase: 'detect', expect: { result: 'fail', says: ['1 of 2 jobs of Veeam failed', '58 hours old'] } },
        { phase: 'plan', expect: { status: 'changed', changes: ['veeam_job'] } },
        { phase: 'remediate', expect: { status: 'started', changes: ['veeam_job'] } },
        { phase: 'remediate', expect: { status: 'started', changes: [] } },
        { wait: HOUR_S },
        { phase: 'verify', expect: { result: 'pass' } },
        { phase: 'remediate', expect: { status: 'nothing_to_do', changes: [] } },
      ],
    },
    look(
      'never',
      'no backup ever succeeded',
      withWsb({
        ...WSB,
        summary: { ...WSB.summary, LastSuccessfulBackupTime: '0001-01-01T00:00:00Z' },
        target: { sets: [] },
        jobs: [],
      }),
      'fail',
      ['there never was a good backup'],
    ),
    look('no-schedule', 'the feature is installed and nobody set it up', withWsb({ ...WSB, policy: false }), 'fail', [
      'has no schedule',
    ]),
    look(
      'disk-taken-away',
      'the machine remembers a backup, and the disk lists none',
      withWsb({ ...WSB, target: { sets: [] } }),
      'fail',
      ['the place where it should lie lists none'],
    ),
    look('never-restored', 'nothing was ever brought back', withWsb({ ...WSB, jobs: [BACKED_UP] }), 'fail', [
      'nothing was ever brought back',
    ]),
    look(
      'restored-long-ago',
      'the last restore is months old',
      withWsb({ ...WSB, jobs: [BACKED_UP, { ...RESTORED, EndTime: '2026-08-01T12:00:00Z' }] }),
      'fail',
      ['nothing was brought back from the backup for more than 30 days'],
    ),
    look(
      'only-catalogue-restored',
      'only the catalogue was recovered',
      withWsb({ ...WSB, jobs: [BACKED_UP, { ...RESTORED, JobType: 'CatalogRecovery' }] }),
      'fail',
      ['nothing was ever brought back'],
    ),
    look(
      'future',
      'the last backup is dated next week',
      withWsb({
        ...WSB,
        summary: { ...WSB.summary, LastSuccessfulBackupTime: '2026-11-27T22:40:00Z' },
        target: { sets: ['2026-11-27T22:40:00Z'] },
      }),
      'fail',
      ['dated in the future'],
    ),
    look(
      'veeam-damaged',
      'Veeam knows of a damaged restore point',
      withVeeam({ ...VEEAM, points: [false, true] }),
      'fail',
      ['1 restore points of Veeam are damaged'],
    ),
    look(
      'veeam-without-schedule',
      'no job of Veeam is on a schedule',
      withVeeam({ ...VEEAM, jobs: [job({ next: null })] }),
      'fail',
      ['no job on a schedule'],
    ),
    look('veeam-without-surebackup', 'the edition of Veeam has no SureBackup', withoutSureBackup(), 'fail', [
      'nothing was ever brought back',
    ]),
    look('nothing-installed', 'nothing makes backups', machine('member_server', {}), 'fail', [
      'nothing that makes backups is installed',
    ]),
    {
      name: 'nothing-to-start',
      title: 'there is nothing that could be started',
      state: machine('member_server', {}),
      steps: [{ phase: 'remediate', expect: { status: 'nothing_to_do', changes: [] } }],
    },
    {
      name: 'start-denied',
      title: 'the account may look and may not start a backup',
      state: withValue(withWsb(OLD_WSB), ['denied'], ['Start-WBBackup']),
      steps: [
        { phase: 'remediate', expect: { fails: true } },
        { phase: 'verify', expect: { result: 'fail' } },
      ],
    },
    look(
      'over-budget',
      'the processor time that a look may use is used up',
      withWsb(),
      'unknown',
      ['it would have used more processor time than it may'],
      { params: { budget_cpu_s: 0 } },
    ),
    look('localised', 'Windows speaks German', withWsb(), 'pass', [], {
      env: { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' },
    }),
    look(
      'wrong-role',
      'the list of targets calls the server a workstation',
      withWsb(),
      'unknown',
      ['the list of targets says workstation'],
      { role: 'workstation' },
    ),
    look(
      'managed-elsewhere',
      'another machine backs this one up',
      withoutSection(withWsb(), 'wsb'),
      'not_applicable',
      ['backed up from another one'],
      { params: { product: 'elsewhere' } },
    ),
  ],
};

function withoutSureBackup(): LabState {
  return withVeeam(Object.fromEntries(Object.entries(VEEAM).filter(([key]) => key !== 'surebackup')));
}
