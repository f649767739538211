// RB-WIN-AD-001: health of a domain controller. It only tells; nothing here is ever healed.
import type { Json, LabState, Scenario, ScenarioBook } from '../scenario.ts';

const NOW = '2026-11-20T10:00:00Z';
const SID = 'S-1-5-21-1000000000-2000000000-3000000000';
const [DC1, DC2] = ['DC1.clinic.example', 'DC2.clinic.example'];

const user = (rid: number, other: Readonly<Record<string, Json>> = {}): Json => ({
  sid: `${SID}-${rid}`,
  enabled: true,
  locked: false,
  logon: '2026-11-10T08:00:00Z',
  created: '2020-01-01T00:00:00Z',
  ...other,
});
const link = (other: Readonly<Record<string, Json>> = {}): Json => ({
  LastReplicationSuccess: '2026-11-20T09:45:00Z',
  LastReplicationResult: 0,
  ConsecutiveReplicationFailures: 0,
  ...other,
});
const controller = (HostName: string): Json => ({ HostName, IsReadOnly: false, IsGlobalCatalog: true });

const NETLOGON = 'HKLM:\\SYSTEM\\CurrentControlSet\\Services\\Netlogon\\Parameters';
const W32TIME = 'HKLM:\\SYSTEM\\CurrentControlSet\\Services\\W32Time\\Parameters';
const MIGRATING = 'HKLM:\\SYSTEM\\CurrentControlSet\\Services\\DFSR\\Parameters\\SysVols\\Migrating Sysvols';

const DIRECTORY = {
  self: DC1,
  domain: { DNSRoot: 'clinic.example', DomainSID: SID, PDCEmulator: DC1, RIDMaster: DC1, InfrastructureMaster: DC2 },
  forest: { RootDomain: 'clinic.example', SchemaMaster: DC1, DomainNamingMaster: DC1 },
  controllers: [controller(DC1), controller(DC2)],
  links: [link(), link(), link()],
  users: [user(1103), user(1104)],
  groups: {
    [`${SID}-512`]: [`${SID}-500`, `${SID}-1101`],
    'S-1-5-32-544': [`${SID}-500`],
    [`${SID}-518`]: [`${SID}-500`],
    [`${SID}-519`]: [`${SID}-500`],
  },
  computers: [],
};

interface Parts {
  readonly directory?: Readonly<Record<string, Json>>;
  readonly registry?: Readonly<Record<string, Json>>;
  readonly cim?: Readonly<Record<string, Json>>;
  readonly other?: Readonly<Record<string, Json>>;
}

function controllerState({ directory = {}, registry = {}, cim = {}, other = {} }: Parts = {}): LabState {
  return {
    now: NOW,
    cim: {
      Win32_OperatingSystem: [{ ProductType: 2, BuildNumber: '20348', CSName: 'DC1', LocalDateTime: NOW }],
      Win32_Share: [{ Name: 'SYSVOL' }, { Name: 'NETLOGON' }, { Name: 'ADMIN$' }],
      Win32_Service: [{ Name: 'W32Time', State: 'Running' }],
      DfsrReplicatedFolderInfo: [
        { ReplicationGroupName: 'Praxis', State: 5, LastErrorCode: 9098 },
        { ReplicationGroupName: 'Domain System Volume', State: 4, LastErrorCode: 0 },
      ],
      ...cim,
    },
    registry: { [NETLOGON]: { SysvolReady: 1 }, [W32TIME]: { Type: 'NTP' }, ...registry },
    directory: { ...DIRECTORY, ...directory },
    ...other,
  };
}

const OTHER_MACHINE = (type: number): LabState => ({
  now: NOW,
  cim: { Win32_OperatingSystem: [{ ProductType: type, BuildNumber: '22631', CSName: 'PC01', LocalDateTime: NOW }] },
  registry: {},
});

const look = (
  name: string,
  title: string,
  state: LabState,
  result: 'pass' | 'fail' | 'unknown' | 'not_applicable',
  says: readonly string[],
  other: Partial<Scenario> = {},
): Scenario => ({
  name,
  title,
  state,
  steps: [
    { phase: 'detect', expect: { result, says } },
    { phase: 'verify', expect: { result, says } },
  ],
  ...other,
});

export const directory: ScenarioBook = {
  runbook: 'RB-WIN-AD-001',
  areas: ['directory'],
  removal: 'healthy',
  scenarios: [
    look('healthy', 'two domain controllers replicate and nothing is wrong', controllerState(), 'pass', [
      '3 replication links work',
    ]),
    look(
      'replication-late',
      'a link had no success for three days',
      controllerState({
        directory: {
          links: [
            link(),
            link({
              LastReplicationSuccess: '2026-11-17T09:00:00Z',
              LastReplicationResult: 1722,
              ConsecutiveReplicationFailures: 288,
            }),
          ],
        },
      }),
      'fail',
      ['1 of 2 replication links had no success for more than 24 hours'],
    ),
    look(
      'replication-never',
      'a link never had a success',
      controllerState({ directory: { links: [link({ LastReplicationSuccess: '0001-01-01T00:00:00Z' })] } }),
      'fail',
      ['1 of 1 replication links had no success'],
    ),
    look(
      'replication-failing',
      'a link failed just now',
      controllerState({
        directory: { links: [link(), link({ LastReplicationResult: 8524, ConsecutiveReplicationFailures: 1 })] },
      }),
      'fail',
      ['1 of 2 replication links fail'],
    ),
    look(
      'no-links',
      'the other domain controller is linked with nobody',
      controllerState({ directory: { links: [] } }),
      'fail',
      ['this one replicates with none'],
    ),
    look(
      'alone',
      'there is one domain controller only',
      controllerState({
        directory: {
          links: [],
          controllers: [controller(DC1)],
          domain: { ...DIRECTORY.domain, InfrastructureMaster: DC1 },
        },
      }),
      'pass',
      [],
    ),
    look(
      'role-gone',
      'the controller that held a role was thrown away',
      controllerState({ directory: { domain: { ...DIRECTORY.domain, RIDMaster: 'OLD.clinic.example' } } }),
      'fail',
      ['1 of 5 operations master roles'],
    ),
    look(
      'sysvol-not-shared',
      'SYSVOL is not ready after a restore',
      controllerState({ registry: { [NETLOGON]: { SysvolReady: 0 } }, cim: { Win32_Share: [{ Name: 'ADMIN$' }] } }),
      'fail',
      ['SYSVOL or NETLOGON is not shared'],
    ),
    look(
      'sysvol-in-error',
      'the replication of SYSVOL is in error',
      controllerState({
        cim: {
          DfsrReplicatedFolderInfo: [{ ReplicationGroupName: 'Domain System Volume', State: 5, LastErrorCode: 9061 }],
        },
      }),
      'fail',
      ['in state 5'],
    ),
    look(
      'sysvol-by-frs',
      'SYSVOL was never migrated',
      controllerState({ registry: { [MIGRATING]: { 'Local State': 1 } } }),
      'fail',
      ['not replicated by DFS replication'],
    ),
    look(
      'time-stopped',
      'the time service does not run',
      controllerState({ cim: { Win32_Service: [{ Name: 'W32Time', State: 'Stopped' }] } }),
      'fail',
      ['the Windows time service does not run'],
    ),
    look(
      'pdc-without-source',
      'the PDC emulator asks the domain for the time, which asks it',
      controllerState({ registry: { [W32TIME]: { Type: 'NT5DS' } } }),
      'fail',
      ['takes its own time from nowhere'],
    ),
    look(
      'stale-accounts',
      'enabled accounts were not used for a year, or never',
      controllerState({
        directory: {
          users: [
            user(1103),
            user(1104, { logon: '2025-10-01T00:00:00Z' }),
            user(1105, { logon: null }),
            user(1106, { logon: null, created: '2026-11-19T00:00:00Z' }),
            user(1107, { logon: '2020-01-01T00:00:00Z', enabled: false }),
          ],
        },
      }),
      'fail',
      ['2 enabled accounts were not used'],
    ),
    look(
      'locked-accounts',
      'many accounts are locked at once',
      controllerState({ directory: { users: Array.from({ length: 7 }, (_, n) => user(1103 + n, { locked: true })) } }),
      'fail',
      ['7 accounts are locked', 'limit 5'],
    ),
    look(
      'many-administrators',
      'half the clinic administers the domain',
      controllerState({
        directory: {
          groups: { ...DIRECTORY.groups, [`${SID}-512`]: Array.from({ length: 12 }, (_, n) => `${SID}-${1100 + n}`) },
        },
      }),
      'fail',
      ['13 accounts administer the domain'],
    ),
    look(
      'child-domain',
      'the two roles of the forest belong to a controller of its root domain',
      controllerState({
        directory: {
          forest: {
            RootDomain: 'root.example',
            SchemaMaster: 'R1.root.example',
            DomainNamingMaster: 'R1.root.example',
          },
          groups: { [`${SID}-512`]: [`${SID}-500`], 'S-1-5-32-544': [`${SID}-500`] },
        },
      }),
      'pass',
      [],
    ),
    look(
      'read-only',
      'the domain controller is a read-only one',
      controllerState({
        directory: { controllers: [{ HostName: DC1, IsReadOnly: true, IsGlobalCatalog: true }, controller(DC2)] },
      }),
      'pass',
      [],
    ),
    look(
      'over-budget',
      'the processor time that a look may use is used up',
      controllerState(),
      'unknown',
      ['it would have used more processor time than it may'],
      { params: { budget_cpu_s: 0 } },
    ),
    look('localised', 'Windows speaks German', controllerState(), 'pass', [], {
      env: { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' },
    }),
    look('wrong-role', 'the machine is a member server', OTHER_MACHINE(3), 'not_applicable', [
      'no domain controller but a member server',
    ]),
    look('workstation', 'the machine is a workstation', OTHER_MACHINE(1), 'not_applicable', [
      'no domain controller but a workstation',
    ]),
    look(
      'other-than-listed',
      'the list of targets calls a member server a domain controller',
      OTHER_MACHINE(3),
      'unknown',
      ['the list of targets says domain_controller'],
      { role: 'domain_controller' },
    ),
    look(
      'module-missing',
      'the module of the directory is not there',
      Object.fromEntries(Object.entries(controllerState()).filter(([key]) => key !== 'directory')) as LabState,
      'unknown',
      ['Windows does not have what it is read with'],
    ),
    look(
      'denied',
      'the account may not look at replication',
      controllerState({ other: { denied: ['Get-ADReplicationPartnerMetadata'] } }),
      'unknown',
      ['replication could not be read: Windows denies it'],
    ),
  ],
};
