// RB-WIN-LOGGING-001.
import type { Json, LabState, Scenario, ScenarioBook } from '../scenario.ts';
import { machine, withoutSection, withValue } from './machines.ts';

const guid = (first: string) => `${first}-69AE-11D9-BED3-505054503030`;
/** Subcategories that auditpol tells, by the first part of their GUID, in the order of its file. */
const SUBCATEGORIES: readonly (readonly [string, string])[] = [
  ['0CCE9210', 'Security State Change'],
  ['0CCE9212', 'System Integrity'],
  ['0CCE9215', 'Logon'],
  ['0CCE9216', 'Logoff'],
  ['0CCE9217', 'Account Lockout'],
  ['0CCE921B', 'Special Logon'],
  ['0CCE921D', 'File System'],
  ['0CCE9224', 'File Share'],
  ['0CCE9245', 'Removable Storage'],
  ['0CCE922F', 'Audit Policy Change'],
  ['0CCE9235', 'User Account Management'],
  ['0CCE9236', 'Computer Account Management'],
  ['0CCE9237', 'Security Group Management'],
  ['0CCE923B', 'Directory Service Access'],
  ['0CCE923C', 'Directory Service Changes'],
  ['0CCE923F', 'Credential Validation'],
  ['0CCE9242', 'Kerberos Authentication Service'],
];
const indexOf = (first: string) => SUBCATEGORIES.findIndex(([id]) => id === first);
const MIB = 1_048_576;
const log = (mib: number, events: readonly Json[] = []) => ({
  enabled: true,
  mode: 'Circular',
  maxBytes: mib * MIB,
  events: [...events],
});

function server(role: 'member_server' | 'domain_controller', names: (name: string) => string = (name) => name) {
  return machine(role, {
    cim: { Win32_Service: [{ Name: 'EventLog', State: 'Running' }] },
    audit: {
      encoding: 'ascii',
      headings:
        'Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting,Setting Value',
      system: 'System',
      subcategories: SUBCATEGORIES.map(([id, name]) => ({ id: guid(id), name: names(name), value: 3 })),
      users: [],
    },
    logs: {
      Security: log(192, [
        { id: 4624, at: '2026-10-01T06:00:00Z' },
        { id: 1102, at: '2026-10-02T06:00:00Z' },
      ]),
      System: log(32, [{ id: 7036, at: '2026-11-19T06:00:00Z' }]),
      Application: log(64, []),
    },
    registry: { 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Lsa': { SCENoApplyLegacyAuditPolicy: 1 } },
  });
}
const healthy = server('member_server');
const audited = (state: LabState, first: string, value: number) =>
  withValue(state, ['audit', 'subcategories', indexOf(first), 'value'], value);
const LSA = ['registry', 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Lsa'];
/** Object access and failed logons are not audited, the Security log is as small as Windows makes it. */
const drifted = withValue(
  audited(audited(healthy, '0CCE921D', 0), '0CCE9215', 1),
  ['logs', 'Security', 'maxBytes'],
  20 * MIB,
);
const HEALED = ['audit_0cce921d', 'audit_0cce9215', 'security_max_mib'];
const pass = { result: 'pass' } as const;

const scenarios: readonly Scenario[] = [
  {
    name: 'healthy',
    title: 'everything required is audited and kept',
    state: healthy,
    role: 'member_server',
    steps: [
      { phase: 'detect', expect: { ...pass, facts: { audit_missing: 0, times_cleared: 0, security_days: 50 } } },
      { phase: 'plan', expect: { status: 'nothing_to_do', changes: [] } },
      { phase: 'remediate', expect: { status: 'nothing_to_do', changes: [] } },
    ],
  },
  {
    name: 'drifted-and-healed',
    title: 'object access is not audited and the log is small: planned, healed, verified, and nothing twice',
    state: drifted,
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['2 of 13 kinds', '20 MiB'] } },
      { phase: 'plan', expect: { status: 'changed', changes: HEALED } },
      { phase: 'remediate', expect: { status: 'changed', changes: HEALED } },
      { phase: 'verify', expect: { ...pass, facts: { security_mib: 192 } } },
      { phase: 'remediate', expect: { status: 'nothing_to_do', changes: [] } },
    ],
  },
  {
    name: 'rolled-back',
    title: 'what was changed is put back as it was',
    state: withValue(drifted, [...LSA, 'SCENoApplyLegacyAuditPolicy'], 0),
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['override those of subcategories'] } },
      { phase: 'remediate', expect: { status: 'changed', changes: [...HEALED, 'subcategories_count'] } },
      { phase: 'verify', expect: pass },
      {
        phase: 'rollback',
        expect: { status: 'changed', changes: ['audit_policy_restored', 'security_max_mib', 'subcategories_count'] },
      },
      { phase: 'detect', expect: { result: 'fail', facts: { audit_missing: 2, security_mib: 20 } } },
      { phase: 'rollback', expect: { fails: true } },
    ],
  },
  {
    name: 'domain-controller',
    title: 'a domain controller has to audit more than a member server',
    state: audited(audited(server('domain_controller'), '0CCE923C', 0), '0CCE9236', 0),
    role: 'domain_controller',
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['2 of 17 kinds'] } },
      { phase: 'remediate', expect: { status: 'changed', changes: ['audit_0cce9236', 'audit_0cce923c'] } },
      { phase: 'verify', expect: pass },
    ],
  },
  {
    name: 'not-a-domain-controller',
    title: 'what binds domain controllers alone is not asked of a member server',
    state: audited(healthy, '0CCE923C', 0),
    steps: [{ phase: 'detect', expect: { ...pass, facts: { audit_required: 13 } } }],
  },
  {
    name: 'german',
    title: 'a German machine with names in UTF-16 and a row of one user is judged like any other',
    state: withValue(
      withValue(
        withValue(
          audited(
            server('member_server', (name) => `Überwachung „${name}“`),
            '0CCE921D',
            1,
          ),
          ['audit', 'encoding'],
          'utf16',
        ),
        ['audit', 'headings'],
        'Computername,Richtlinienziel,Unterkategorie,GUID der Unterkategorie,Aufnahmeeinstellung,Ausschlusseinstellung,Einstellungswert',
      ),
      ['audit', 'users'],
      [{ sid: 'S-1-5-21-1-2-3-1001', id: guid('0CCE9215'), value: 0 }],
    ),
    env: { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8', TZ: 'Europe/Berlin' },
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['1 of 13 kinds'] } },
      { phase: 'remediate', expect: { status: 'changed', changes: ['audit_0cce921d'] } },
      { phase: 'verify', expect: pass },
    ],
  },
  {
    name: 'more-than-required',
    title: 'what is audited beyond what is required stays so',
    state: audited(audited(healthy, '0CCE9237', 2), '0CCE9210', 3),
    steps: [
      { phase: 'detect', expect: { result: 'fail' } },
      { phase: 'remediate', expect: { status: 'changed', changes: ['audit_0cce9237'] } },
      {
        change: 'nobody takes away what was audited before',
        to: (state) => {
          const { subcategories } = state['audit'] as { subcategories: readonly { value: number }[] };
          if (subcategories.some(({ value }) => value !== 3)) throw new Error('less is audited than before');
          return state;
        },
      },
    ],
  },
  {
    name: 'cleared',
    title: 'somebody cleared the Security log a week ago: a person has to look',
    state: withValue(healthy, ['logs', 'Security', 'events'], [{ id: 1102, at: '2026-11-13T06:00:00Z' }]),
    steps: [{ phase: 'detect', expect: { result: 'fail', says: ['cleared 1 times'], facts: { times_cleared: 1 } } }],
  },
  {
    name: 'stands-still',
    title: 'the Security log stops when it is full',
    state: withValue(healthy, ['logs', 'Security', 'mode'], 'Retain'),
    steps: [{ phase: 'detect', expect: { result: 'fail', says: ['stops when it is full'] } }],
  },
  {
    name: 'managed-elsewhere',
    title: 'a group policy keeps the log small: said so and left alone',
    state: withValue(drifted, ['registry', 'HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\EventLog\\Security'], {
      MaxSize: 20_480,
    }),
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['a group policy sets that'], facts: { logs_managed: 1 } } },
      { phase: 'remediate', expect: { status: 'managed_elsewhere', changes: [] } },
    ],
  },
  {
    name: 'policy-reverts',
    title: 'a group policy puts the audit policy back after the change: verify sees it',
    state: withValue(audited(healthy, '0CCE921D', 0), ['audit', 'reverts'], [{ id: guid('0CCE921D'), value: 0 }]),
    steps: [
      { phase: 'detect', expect: { result: 'fail' } },
      { phase: 'remediate', expect: { status: 'changed', changes: ['audit_0cce921d'] } },
      { phase: 'verify', expect: pass },
      { wait: 300 },
      { phase: 'verify', expect: { result: 'fail', says: ['1 of 13 kinds'] } },
    ],
  },
  {
    name: 'forwarding-required',
    title: 'events have to be forwarded and are not, then are',
    state: healthy,
    params: { forwarding_required: true },
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['no collector is configured'] } },
      {
        change: 'a policy names a collector',
        to: (state) =>
          withValue(
            state,
            [
              'registry',
              'HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\EventLog\\EventForwarding\\SubscriptionManager',
            ],
            { '1': 'Server=https://collector.praxis.example:5986' },
          ),
      },
      { phase: 'detect', expect: { ...pass, facts: { forwarding: true } } },
    ],
  },
  {
    name: 'wrong-role',
    title: 'the list of targets calls a member server a workstation',
    state: healthy,
    role: 'workstation',
    steps: [{ phase: 'detect', expect: { result: 'unknown', says: ['the machine says member_server'] } }],
  },
  {
    name: 'access-denied',
    title: 'Windows denies the account the Security log and the audit policy',
    state: { ...healthy, denied: ['Get-WinEvent', 'auditpol.exe'] },
    steps: [
      { phase: 'detect', expect: { result: 'unknown', says: ['Windows denies it'] } },
      { phase: 'remediate', expect: { fails: true } },
    ],
  },
  {
    name: 'program-missing',
    title: 'Windows lacks auditpol',
    state: withoutSection(healthy, 'audit'),
    steps: [{ phase: 'detect', expect: { result: 'unknown', says: ['audit could not be read'] } }],
  },
  {
    name: 'service-stopped',
    title: 'the service of the event logs is stopped',
    state: withValue(healthy, ['cim', 'Win32_Service', 0, 'State'], 'Stopped'),
    steps: [{ phase: 'detect', expect: { result: 'fail', says: ['service of the event logs is not running'] } }],
  },
];

export const logging: ScenarioBook = {
  runbook: 'RB-WIN-LOGGING-001',
  areas: ['services', 'logging'],
  scenarios,
  removal: 'healthy',
};
