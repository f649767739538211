// RB-WIN-PATCH-001: missing updates, and installing them by a task of the machine itself.
import type { Json, LabState, Scenario, ScenarioBook } from '../scenario.ts';
import { machine, withValue } from './machines.ts';

const SECURITY = '0fa1201d-4330-4fa8-8ae9-b877473b6441';
const DEFINITIONS = 'e0789628-ce08-4437-be74-2495b842f43b';
const POLICY = 'HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate';
const REBOOT_REQUIRED =
  'HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired';
const SESSION_MANAGER = 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager';
const TASK = '\\ComplianceAgent\\ComplianceAgent-Patch';

const update = (number: number, other: Readonly<Record<string, Json>> = {}): Json => ({
  id: `b0000000-0000-4000-8000-00000000000${number}`,
  severity: 'Critical',
  published: '2026-10-13T17:00:00Z',
  categories: [SECURITY],
  ...other,
});
/** Published last week, and a signature of today: both have time. */
const RECENT = [
  update(8, { published: '2026-11-12T18:00:00Z' }),
  update(9, { severity: null, published: '2026-11-20T04:00:00Z', categories: [DEFINITIONS] }),
];

interface Parts {
  readonly updates?: readonly Json[];
  readonly wua?: Readonly<Record<string, Json>>;
  readonly registry?: Readonly<Record<string, Json>>;
  readonly other?: Readonly<Record<string, Json>>;
}

function server({ updates = [], wua = {}, registry = {}, other = {} }: Parts = {}): LabState {
  const state = machine('member_server', {
    wua: {
      updates: [...updates, ...RECENT],
      last_search: '2026-11-20T03:00:00Z',
      last_install: '2026-11-15T02:00:00Z',
      ...wua,
    },
    registry: { [SESSION_MANAGER]: {}, ...registry },
    tasks: {},
    task_runs: 'at_once',
    ...other,
  });
  return withValue(state, ['cim', 'Win32_OperatingSystem', 0, 'LastBootUpTime'], '2026-11-15T02:10:00Z');
}

const look = (
  name: string,
  title: string,
  state: LabState,
  result: 'pass' | 'fail' | 'unknown',
  says: readonly string[],
  other: Partial<Scenario> = {},
): Scenario => ({ name, title, state, steps: [{ phase: 'detect', expect: { result, says } }], ...other });

export const patch: ScenarioBook = {
  runbook: 'RB-WIN-PATCH-001',
  areas: ['update'],
  removal: 'healthy',
  scenarios: [
    look('healthy', 'only updates that still have time are missing', server(), 'pass', [
      'no critical update is missing',
    ]),
    {
      name: 'drifted-and-healed',
      title: 'two updates are overdue, the task installs them, and a second run changes nothing',
      state: server({ updates: [update(1), update(2, { severity: 'Important' })] }),
      steps: [
        {
          phase: 'detect',
          expect: {
            result: 'fail',
            says: ['1 critical updates are missing for more than 14 days', '1 important updates'],
          },
        },
        { phase: 'plan', expect: { status: 'changed', changes: ['updates_missing'] } },
        { phase: 'remediate', expect: { status: 'changed', changes: ['updates_missing'], rebootRequired: false } },
        { phase: 'verify', expect: { result: 'pass', facts: { task: 'none', overdue_critical: 0 } } },
        { phase: 'remediate', expect: { status: 'nothing_to_do', changes: [] } },
      ],
    },
    {
      name: 'wants-a-restart',
      title: 'an installed update wants a restart, which nobody gives it by himself',
      state: server({ updates: [update(1, { reboot: true })] }),
      steps: [
        { phase: 'remediate', expect: { status: 'changed', changes: ['updates_missing'], rebootRequired: true } },
        { phase: 'verify', expect: { result: 'pass', facts: { reboot_pending: true } } },
        { phase: 'remediate', expect: { status: 'nothing_to_do', changes: [] } },
        // Two days later it is being put off.
        { wait: 172_800 },
        { phase: 'verify', expect: { result: 'fail', says: ['a restart is pending for at least 48 hours'] } },
      ],
    },
    {
      name: 'one-fails',
      title: 'one of two updates does not install',
      state: server({ updates: [update(1), update(2)], wua: { fails: ['b0000000-0000-4000-8000-000000000002'] } }),
      steps: [
        { phase: 'remediate', expect: { status: 'changed', changes: ['updates_missing'] } },
        { phase: 'verify', expect: { result: 'fail', says: ['1 critical updates'] } },
      ],
    },
    {
      name: 'still-installing',
      title: 'the task outlasts the watch, is left alone, and its remains are cleared later',
      state: server({ updates: [update(1)], other: { task_runs: 'never_ends' } }),
      params: { wait_s: 60 },
      steps: [
        { phase: 'remediate', expect: { status: 'started', changes: ['updates_installing'] } },
        { phase: 'verify', expect: { result: 'fail', facts: { task: 'running' } } },
        { phase: 'remediate', expect: { status: 'started', changes: [] } },
        { phase: 'rollback', expect: { status: 'started', changes: [] } },
        { change: 'Windows ends the task', to: (state) => withValue(state, ['tasks', TASK, 'State'], 'Ready') },
        { phase: 'rollback', expect: { status: 'changed', changes: ['left_behind'] } },
        { phase: 'rollback', expect: { status: 'nothing_to_do', changes: [] } },
      ],
    },
    {
      name: 'interrupted',
      title: 'an earlier run was cut off and left its task and its files',
      state: server({
        updates: [update(1)],
        other: {
          tasks: { [TASK]: { State: 'Ready', UserId: 'S-1-5-18' } },
          files: { 'ComplianceAgent/Patch/install.ps1': 'exit' },
        },
      }),
      steps: [
        { phase: 'detect', expect: { result: 'fail', facts: { task: 'left_behind' } } },
        { phase: 'plan', expect: { status: 'changed', changes: ['left_behind', 'updates_missing'] } },
        { phase: 'remediate', expect: { status: 'changed', changes: ['left_behind', 'updates_missing'] } },
        { phase: 'verify', expect: { result: 'pass', facts: { task: 'none' } } },
      ],
    },
    {
      name: 'task-dies',
      title: 'the task ends without a result, and nothing of it stays behind',
      state: server({ updates: [update(1)], other: { task_runs: 'dies' } }),
      steps: [
        { phase: 'remediate', expect: { fails: true } },
        { phase: 'verify', expect: { result: 'fail', facts: { task: 'none' } } },
      ],
    },
    {
      name: 'script-tampered',
      title: 'somebody changes the script of the task before it runs',
      state: server({ updates: [update(1)], other: { task_runs: 'tampered' } }),
      steps: [
        { phase: 'remediate', expect: { fails: true } },
        { phase: 'verify', expect: { result: 'fail', facts: { task: 'none' } } },
      ],
    },
    {
      name: 'registering-denied',
      title: 'the account may not register a task',
      state: server({ updates: [update(1)], other: { denied: ['Register-ScheduledTask'] } }),
      steps: [
        { phase: 'remediate', expect: { fails: true } },
        { phase: 'rollback', expect: { status: 'changed', changes: ['left_behind'] } },
      ],
    },
    {
      name: 'managed-elsewhere',
      title: 'a WSUS server decides which updates this machine gets',
      state: server({
        updates: [update(1)],
        registry: { [POLICY]: { WUServer: 'https://wsus.clinic.example:8531' }, [`${POLICY}\\AU`]: { UseWUServer: 1 } },
      }),
      steps: [
        { phase: 'detect', expect: { result: 'fail', says: ['1 critical updates'], facts: { managed: 'wsus' } } },
        { phase: 'plan', expect: { status: 'managed_elsewhere', changes: [] } },
        { phase: 'remediate', expect: { status: 'managed_elsewhere', changes: [] } },
      ],
    },
    look(
      'deferred-by-policy',
      'a policy of Windows Update for Business defers updates',
      server({ registry: { [POLICY]: { DeferQualityUpdatesPeriodInDays: 7 } } }),
      'pass',
      [],
    ),
    look(
      'unrated',
      'a security update without a rating is overdue',
      server({ updates: [update(1, { severity: null, published: '2026-09-08T17:00:00Z' })] }),
      'fail',
      ['1 important updates'],
    ),
    look('hidden', 'somebody hid an overdue update', server({ updates: [update(1, { hidden: true })] }), 'fail', [
      '1 of them were hidden',
    ]),
    look(
      'asks-somebody',
      'an overdue update asks questions',
      server({ updates: [update(1, { interactive: true })] }),
      'fail',
      ['1 of them ask somebody'],
    ),
    look(
      'never-asked',
      'the machine asked for updates weeks ago',
      server({ wua: { last_search: '2026-10-30T03:00:00Z' } }),
      'fail',
      ['asked for updates 21 days ago'],
    ),
    look(
      'restart-put-off',
      'a restart is pending since the last installation',
      server({ registry: { [REBOOT_REQUIRED]: {} } }),
      'fail',
      ['a restart is pending for at least 128 hours'],
    ),
    look(
      'files-to-replace',
      'a printer left files to be replaced at the next start',
      server({ registry: { [SESSION_MANAGER]: { PendingFileRenameOperations: ['\\??\\C:\\old', ''] } } }),
      'pass',
      [],
    ),
    look(
      'search-denied',
      'Windows refuses the search to a remote logon',
      server({ wua: { search_denied: true } }),
      'unknown',
      ['updates could not be read: Windows denies it'],
    ),
    look('search-aborted', 'the search ends without a result', server({ wua: { search_code: 4 } }), 'unknown', [
      'updates could not be read',
    ]),
    look(
      'over-budget',
      'the processor time that a look may use is used up',
      server(),
      'unknown',
      ['it would have used more processor time than it may'],
      { params: { budget_cpu_s: 0 } },
    ),
    look('localised', 'Windows speaks Polish', server({ updates: [update(1)] }), 'fail', ['1 critical updates'], {
      env: { LANG: 'pl_PL.UTF-8', LC_ALL: 'pl_PL.UTF-8' },
    }),
    look(
      'wrong-role',
      'the list of targets calls the server a domain controller',
      server(),
      'unknown',
      ['the list of targets says domain_controller'],
      { role: 'domain_controller' },
    ),
  ],
};
