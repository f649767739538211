// RB-WIN-FIREWALL-001.
import type { Json, LabState, Scenario, ScenarioBook } from '../scenario.ts';
import { machine, withoutSection, withValue } from './machines.ts';

const profile = (Name: string) => ({ Name, Enabled: 'True', DefaultInboundAction: 'NotConfigured' });
const rule = (InstanceID: string, ports: readonly string[], more: Readonly<Record<string, Json>> = {}) => ({
  InstanceID,
  DisplayName: InstanceID,
  Direction: 'Inbound',
  Action: 'Allow',
  Enabled: 'True',
  Profiles: 0,
  Protocol: 'TCP',
  LocalPort: [...ports],
  AppPath: null,
  ...more,
});
const listener = (LocalPort: number, OwningProcess: number, LocalAddress = '0.0.0.0') => ({
  LocalAddress,
  LocalPort,
  OwningProcess,
  State: 'Listen',
});

const SQL = 'C:\\Praxis\\sqlservr.exe';

/** A practice's server: WinRM, Remote Desktop, files, and the practice's own database with its own rule. */
const server = machine('member_server', {
  cim: {
    Win32_Service: [{ Name: 'MpsSvc', State: 'Running' }],
    Win32_Process: [
      { ProcessId: 4, ExecutablePath: null },
      { ProcessId: 900, ExecutablePath: 'C:\\Windows\\System32\\svchost.exe' },
      { ProcessId: 2040, ExecutablePath: SQL },
    ],
  },
  firewall: {
    local: {
      profiles: [profile('Domain'), profile('Private'), profile('Public')],
      rules: [
        rule('WINRM-HTTP-In-TCP', ['5985']),
        rule('RemoteDesktop-UserMode-In-TCP', ['3389'], { AppPath: '%SystemRoot%\\system32\\svchost.exe' }),
        rule('RDP-Port', ['3389']),
        rule('RPC-EPMap', ['RPC-EPMap'], { AppPath: 'C:\\Windows\\System32\\svchost.exe' }),
        rule('Praxis-SQL', ['Any'], { AppPath: SQL, Protocol: 'Any' }),
        rule('FPS-SMB-In-TCP', ['445'], { AppPath: null, Profiles: 7 }),
        rule('Web-Range', ['8080-8090'], { Profiles: 7 }),
        rule('UDP-Only', ['5353'], { Protocol: 'UDP' }),
        rule('Block-Telnet', ['23'], { Action: 'Block' }),
      ],
    },
    policy: { profiles: [] },
  },
  connections: [
    listener(5985, 4),
    listener(445, 4),
    listener(3389, 900),
    listener(135, 900),
    listener(1433, 2040),
    listener(8085, 2040),
    listener(49670, 900),
    listener(9000, 2040, '127.0.0.1'),
    { LocalAddress: '10.0.0.5', LocalPort: 5985, OwningProcess: 4, State: 'Established' },
  ],
  tasks: [],
});

const localProfile = (state: LabState, index: number, key: string, value: Json) =>
  withValue(state, ['firewall', 'local', 'profiles', index, key], value);
const off = localProfile(localProfile(server, 1, 'Enabled', 'False'), 2, 'Enabled', 'False');
/** As off, and somebody lets everything in at work. */
const open = localProfile(off, 0, 'DefaultInboundAction', 'Allow');

const pass = { result: 'pass' } as const;
const HEALED = ['domain_inbound', 'private_enabled', 'public_enabled'];

/** The rules that were there, whatever else came to be: none of them may change. */
export function practiceRules(state: LabState): Json {
  const firewall = state['firewall'] as { local: { rules: readonly { InstanceID: string }[] } };
  return firewall.local.rules.filter(({ InstanceID }) => !InstanceID.startsWith('ComplianceAgent-'));
}

const scenarios: readonly Scenario[] = [
  {
    name: 'healthy',
    title: 'all three profiles are on and block',
    state: server,
    role: 'member_server',
    steps: [
      { phase: 'detect', expect: { ...pass, facts: { profiles_on: 3, profiles_blocking: 3, would_be_cut: 0 } } },
      { phase: 'plan', expect: { status: 'nothing_to_do', changes: [] } },
      { phase: 'remediate', expect: { status: 'nothing_to_do', changes: [] } },
    ],
  },
  {
    name: 'drifted-and-healed',
    title: 'two profiles are off and one lets everything in: planned, healed, confirmed, verified, and nothing twice',
    state: open,
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['off on the private profile', 'let in on the domain'] } },
      { phase: 'plan', expect: { status: 'changed', changes: HEALED } },
      { phase: 'remediate', expect: { status: 'changed', changes: HEALED } },
      { phase: 'verify', expect: { ...pass, facts: { revert_armed: true } } },
      { phase: 'confirm', expect: { status: 'changed', changes: ['revert_armed'] } },
      { wait: 600 },
      { phase: 'verify', expect: { ...pass, facts: { revert_armed: false } } },
      { phase: 'remediate', expect: { status: 'nothing_to_do', changes: [] } },
    ],
  },
  {
    name: 'healed-by-order',
    title: 'as the agent heals it: each look is a run of its own, and the next one on schedule finds it healed',
    state: open,
    role: 'member_server',
    steps: [
      { phase: 'detect', expect: { result: 'fail' } },
      { phase: 'plan', expect: { status: 'changed', changes: HEALED } },
      { phase: 'remediate', expect: { status: 'changed', changes: HEALED } },
      { phase: 'verify', expect: pass },
      { phase: 'confirm', expect: { status: 'changed', changes: ['revert_armed'] } },
      { phase: 'verify', expect: pass },
      { phase: 'detect', expect: pass },
    ],
  },
  {
    name: 'nobody-confirms',
    title: 'nobody confirms within two minutes: the machine undoes the change by itself',
    state: open,
    steps: [
      { phase: 'detect', expect: { result: 'fail' } },
      { phase: 'remediate', expect: { status: 'changed', changes: HEALED } },
      { wait: 119 },
      { phase: 'verify', expect: pass },
      { wait: 2 },
      { phase: 'detect', expect: { result: 'fail', facts: { profiles_on: 1, profiles_blocking: 2 } } },
    ],
  },
  {
    name: 'confirmed-too-late',
    title: 'the confirmation comes after the machine has undone the change and counts for nothing',
    state: off,
    steps: [
      { phase: 'detect', expect: { result: 'fail' } },
      { phase: 'remediate', expect: { status: 'changed', changes: ['private_enabled', 'public_enabled'] } },
      {
        change: 'the task ran and somebody tidied it away',
        to: (state) => withValue(state, ['tasks'], []),
      },
      { phase: 'confirm', expect: { fails: true } },
    ],
  },
  {
    name: 'rolled-back',
    title: 'a change that does not verify is rolled back from the export',
    state: open,
    steps: [
      { phase: 'detect', expect: { result: 'fail' } },
      { phase: 'remediate', expect: { status: 'changed', changes: HEALED } },
      { phase: 'rollback', expect: { status: 'changed', changes: ['local_policy_restored'] } },
      { phase: 'detect', expect: { result: 'fail', facts: { revert_armed: false, profiles_on: 1 } } },
      { wait: 600 },
      { phase: 'rollback', expect: { fails: true } },
    ],
  },
  {
    name: 'a-port-would-be-cut',
    title: 'a program answers without a rule: the plan and the change are refused',
    state: withValue(open, ['connections', 8], listener(5432, 2040)),
    steps: [
      {
        change: 'its rule is for another program',
        to: (s) => withValue(s, ['firewall', 'local', 'rules', 4, 'AppPath'], 'C:\\Other\\x.exe'),
      },
      {
        phase: 'detect',
        expect: { result: 'fail', says: ['2 ports that answer now have no rule'], facts: { would_be_cut: 2 } },
      },
      { phase: 'plan', expect: { fails: true } },
      { phase: 'remediate', expect: { fails: true } },
    ],
  },
  {
    name: 'ports-looked-at',
    title: 'somebody looked at the ports without a rule and they may be cut off',
    state: withValue(off, ['firewall', 'local', 'rules', 4, 'Enabled'], 'False'),
    params: { may_close_ports: ['1433'] },
    steps: [
      { phase: 'detect', expect: { result: 'fail', facts: { would_be_cut: 0 } } },
      { phase: 'remediate', expect: { status: 'changed', changes: ['private_enabled', 'public_enabled'] } },
    ],
  },
  {
    name: 'winrm-and-rdp-without-a-rule',
    title: 'WinRM and Remote Desktop answer without a rule: theirs is added before anything is blocked',
    state: withValue(
      off,
      ['firewall', 'local', 'rules'],
      [rule('Praxis-SQL', ['1433', '8085']), rule('SMB', ['445']), rule('RPC', ['135'])],
    ),
    steps: [
      { phase: 'detect', expect: { result: 'fail', facts: { would_be_cut: 0 } } },
      {
        phase: 'remediate',
        expect: {
          status: 'changed',
          changes: ['allow_tcp_3389', 'allow_tcp_5985', 'private_enabled', 'public_enabled'],
        },
      },
      { phase: 'verify', expect: pass },
      { phase: 'confirm', expect: { status: 'changed', changes: ['revert_armed'] } },
      { phase: 'remediate', expect: { status: 'nothing_to_do', changes: [] } },
    ],
  },
  {
    name: 'managed-elsewhere',
    title: 'a group policy switches the firewall off: said so and left alone',
    state: withValue(server, ['firewall', 'policy', 'profiles'], [{ Name: 'Domain', Enabled: 'False' }]),
    steps: [
      {
        phase: 'detect',
        expect: { result: 'fail', says: ['a group policy sets that'], facts: { profiles_managed: 1 } },
      },
      { phase: 'plan', expect: { status: 'managed_elsewhere', changes: [] } },
      { phase: 'remediate', expect: { status: 'managed_elsewhere', changes: [] } },
    ],
  },
  {
    name: 'off-in-spite-of-rules',
    title: 'every rule is there and the firewall is off: the state counts, not the rules',
    state: localProfile(server, 0, 'Enabled', 'False'),
    steps: [{ phase: 'detect', expect: { result: 'fail', says: ['the firewall is off on the domain profile'] } }],
  },
  {
    name: 'service-stopped',
    title: 'the service of the firewall is stopped',
    state: withValue(server, ['cim', 'Win32_Service', 0, 'State'], 'Stopped'),
    steps: [{ phase: 'detect', expect: { result: 'fail', says: ['is not running'] } }],
  },
  {
    name: 'german',
    title: 'a German machine in its own time zone is judged like any other',
    state: withValue(
      localProfile(server, 2, 'Enabled', 'False'),
      ['firewall', 'local', 'rules', 0, 'DisplayName'],
      'Windows-Remoteverwaltung (HTTP eingehend) – Ärzte',
    ),
    env: { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8', TZ: 'Europe/Berlin' },
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['off on the public profile'] } },
      { phase: 'remediate', expect: { status: 'changed', changes: ['public_enabled'] } },
      { phase: 'confirm', expect: { status: 'changed', changes: ['revert_armed'] } },
      { phase: 'verify', expect: pass },
    ],
  },
  {
    name: 'wrong-role',
    title: 'the list of targets calls a workstation a domain controller',
    state: withValue(server, ['cim', 'Win32_OperatingSystem', 0, 'ProductType'], 1),
    role: 'domain_controller',
    steps: [{ phase: 'detect', expect: { result: 'unknown', says: ['the machine says workstation'] } }],
  },
  {
    name: 'cmdlets-missing',
    title: 'Windows lacks the cmdlets for its firewall',
    state: withoutSection(server, 'firewall'),
    steps: [
      { phase: 'detect', expect: { result: 'unknown', says: ['could not be read', 'does not have'] } },
      { phase: 'remediate', expect: { fails: true } },
    ],
  },
  {
    name: 'access-denied',
    title: 'Windows denies the account to read the firewall',
    state: { ...server, denied: ['Get-NetFirewallProfile', 'Get-NetTCPConnection'] },
    steps: [{ phase: 'detect', expect: { result: 'unknown', says: ['Windows denies it'] } }],
  },
  {
    name: 'snapshot-fails',
    title: 'the export is refused: nothing is changed',
    state: { ...off, denied: ['netsh.exe'] },
    steps: [
      { phase: 'detect', expect: { result: 'fail' } },
      { phase: 'remediate', expect: { fails: true } },
      { phase: 'detect', expect: { result: 'fail', facts: { revert_armed: false } } },
    ],
  },
  {
    name: 'cannot-arm',
    title: 'no task can be registered: nothing is changed',
    state: { ...off, denied: ['Register-ScheduledTask'] },
    steps: [
      { phase: 'remediate', expect: { fails: true } },
      { phase: 'detect', expect: { result: 'fail', facts: { revert_armed: false, profiles_on: 1 } } },
    ],
  },
  {
    name: 'revert-still-armed',
    title: 'an earlier change still waits for its confirmation: no second one on top',
    state: off,
    steps: [
      { phase: 'remediate', expect: { status: 'changed', changes: ['private_enabled', 'public_enabled'] } },
      { change: 'somebody switches a profile off again', to: (state) => localProfile(state, 0, 'Enabled', 'False') },
      { phase: 'remediate', expect: { fails: true } },
    ],
  },
];

export const firewall: ScenarioBook = {
  runbook: 'RB-WIN-FIREWALL-001',
  areas: ['services', 'tasks', 'firewall'],
  scenarios,
  removal: 'healthy',
};
