// RB-WIN-AV-001.
import type { Json, LabState, Scenario, ScenarioBook } from '../scenario.ts';
import { machine, NOW, withoutSection, withValue } from './machines.ts';

const DEFENDER_GUID = '{D68DDC3A-831F-4fae-9E44-DA132C1ACF46}';
const OTHER_GUID = '{7A2B55C0-0000-4000-8000-00000000BEEF}';
const POLICIES = 'HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows Defender';

const defender = (more: Readonly<Record<string, Json>> = {}): Json => ({
  running: true,
  status: {
    AMRunningMode: 'Normal',
    AMServiceEnabled: true,
    AntivirusEnabled: true,
    RealTimeProtectionEnabled: true,
    OnAccessProtectionEnabled: true,
    BehaviorMonitorEnabled: true,
    IoavProtectionEnabled: true,
    IsTamperProtected: false,
    AntivirusSignatureAge: 1,
    AntivirusSignatureLastUpdated: '2026-11-19T08:06:27Z',
    ...more,
  },
  preferences: {
    DisableRealtimeMonitoring: false,
    DisableBehaviorMonitoring: false,
    DisableIOAVProtection: false,
    ExclusionPath: ['D:\\Praxis\\Datenbank'],
    ExclusionExtension: null,
    ExclusionProcess: ['D:\\Praxis\\sqlservr.exe'],
  },
  updates: { at: NOW, fails: false },
});

const server = machine('member_server', { cim: { Win32_Service: [] }, defender: defender(), registry: {} });
const workstation = machine('workstation', {
  cim: {
    Win32_Service: [],
    AntiVirusProduct: [
      { displayName: 'Microsoft Defender Antivirus', instanceGuid: DEFENDER_GUID, productState: 397568 },
    ],
  },
  defender: defender(),
  registry: {},
});

/** Real-time protection as the preferences and the status both tell it. */
function realtime(state: LabState, on: boolean): LabState {
  let next = withValue(state, ['defender', 'preferences', 'DisableRealtimeMonitoring'], !on);
  for (const property of ['RealTimeProtectionEnabled', 'OnAccessProtectionEnabled']) {
    next = withValue(next, ['defender', 'status', property], on);
  }
  return next;
}
const signaturesOf = (state: LabState, at: string) =>
  withValue(state, ['defender', 'status', 'AntivirusSignatureLastUpdated'], at);
const exclusions = (state: LabState, paths: readonly string[]) =>
  withValue(state, ['defender', 'preferences', 'ExclusionPath'], [...paths]);
const passive = (state: LabState) =>
  realtime(withValue(state, ['defender', 'status', 'AMRunningMode'], 'Passive Mode'), false);
/** 0x1000 on, 0x10 out of date. */
const withOther = (productState: number) =>
  withValue(
    passive(workstation),
    ['cim', 'AntiVirusProduct'],
    [
      { displayName: 'Microsoft Defender Antivirus', instanceGuid: DEFENDER_GUID, productState: 393472 },
      { displayName: 'Schutz für Ärzte', instanceGuid: OTHER_GUID, productState },
    ],
  );

const pass = { result: 'pass' } as const;
const nothing = { status: 'nothing_to_do', changes: [] } as const;

const scenarios: readonly Scenario[] = [
  {
    name: 'healthy',
    title: 'Microsoft Defender is on and its signatures are new',
    state: server,
    role: 'member_server',
    steps: [
      { phase: 'detect', expect: { ...pass, facts: { product: 'defender', signature_days: 1, exclusions: 2 } } },
      { phase: 'plan', expect: nothing },
      { phase: 'remediate', expect: nothing },
    ],
  },
  {
    name: 'healthy-workstation',
    title: 'a workstation whose Security Center lists Microsoft Defender alone',
    state: workstation,
    role: 'workstation',
    steps: [{ phase: 'detect', expect: { ...pass, facts: { product: 'defender', others_on: 0 } } }],
  },
  {
    name: 'drifted-and-healed',
    title: 'real-time protection is off and signatures are old: planned, healed, verified, and nothing twice',
    state: signaturesOf(realtime(server, false), '2026-11-10T08:00:00Z'),
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['real-time protection is off', '10 days old'] } },
      { phase: 'plan', expect: { status: 'changed', changes: ['realtime', 'signatures'] } },
      { phase: 'remediate', expect: { status: 'changed', changes: ['realtime', 'signatures'] } },
      { phase: 'verify', expect: { ...pass, facts: { realtime: true, signature_days: 0 } } },
      { phase: 'remediate', expect: nothing },
    ],
  },
  {
    name: 'update-fails',
    title: 'the update finds no source: the step fails and verify still sees old signatures',
    state: withValue(signaturesOf(server, '2026-11-10T08:00:00Z'), ['defender', 'updates', 'fails'], true),
    steps: [
      { phase: 'detect', expect: { result: 'fail' } },
      { phase: 'remediate', expect: { fails: true } },
      { phase: 'verify', expect: { result: 'fail', says: ['10 days old'] } },
    ],
  },
  {
    name: 'managed-elsewhere',
    title: 'a group policy switches real-time protection off: said so and left alone',
    state: withValue(realtime(server, false), ['registry', `${POLICIES}\\Real-Time Protection`], {
      DisableRealtimeMonitoring: 1,
    }),
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['a group policy sets that'], facts: { managed: true } } },
      { phase: 'plan', expect: { status: 'managed_elsewhere', changes: [] } },
      { phase: 'remediate', expect: { status: 'managed_elsewhere', changes: [] } },
    ],
  },
  {
    name: 'third-party',
    title: 'another product is on and up to date: Defender stays as it is',
    state: withOther(266240),
    role: 'workstation',
    steps: [
      {
        phase: 'detect',
        expect: { ...pass, says: ['another product'], facts: { product: 'other', defender: 'passive' } },
      },
      { phase: 'remediate', expect: nothing },
    ],
  },
  {
    name: 'third-party-out-of-date',
    title: 'another product is on and out of date',
    state: withOther(266256),
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['is out of date'] } },
      { phase: 'remediate', expect: nothing },
    ],
  },
  {
    name: 'third-party-off',
    title: 'another product is listed and off, and Defender still leaves the field to it',
    state: withOther(262144),
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['leaves the field', 'none is seen'] } },
      { phase: 'remediate', expect: { fails: true } },
    ],
  },
  {
    name: 'declared-product-on-a-server',
    title: 'a server without Defender whose declared product runs, then stops',
    state: withValue(
      withoutSection(server, 'defender'),
      ['cim', 'Win32_Service'],
      [{ Name: 'OtherAgent', State: 'Running' }],
    ),
    params: { other_av_services: ['OtherAgent'] },
    steps: [
      { phase: 'detect', expect: { ...pass, says: ['is not seen'], facts: { product: 'other', defender: 'absent' } } },
      {
        change: 'the service stops',
        to: (state) => withValue(state, ['cim', 'Win32_Service', 0, 'State'], 'Stopped'),
      },
      { phase: 'detect', expect: { result: 'fail', says: ['is not installed'] } },
    ],
  },
  {
    name: 'nothing-there',
    title: 'no product at all: only a person can put that right',
    state: withoutSection(server, 'defender'),
    steps: [
      {
        phase: 'detect',
        expect: { result: 'fail', says: ['is not installed, and no other product'], facts: { product: 'none' } },
      },
      { phase: 'remediate', expect: { fails: true } },
    ],
  },
  {
    name: 'service-stopped',
    title: 'the service of Microsoft Defender does not run',
    state: withValue(server, ['defender', 'running'], false),
    steps: [{ phase: 'detect', expect: { result: 'fail', says: ['Defender does not run'] } }],
  },
  {
    name: 'passive-and-alone',
    title: 'Defender is passive on a server where nothing else is seen',
    state: passive(server),
    steps: [{ phase: 'detect', expect: { result: 'fail', says: ['leaves the field'] } }],
  },
  {
    name: 'broad-exclusions',
    title: 'a whole drive and all programs are excluded: a person has to look',
    state: withValue(
      exclusions(server, ['C:\\', 'D:\\Praxis', '%TEMP%\\*']),
      ['defender', 'preferences', 'ExclusionExtension'],
      ['.EXE'],
    ),
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['3 exclusions are so broad'], facts: { exclusions: 5 } } },
      { phase: 'remediate', expect: { fails: true } },
    ],
  },
  {
    name: 'exclusions-hidden',
    title: 'Windows hides the exclusions from the account: not known is not none',
    state: exclusions(server, ['N/A: Must be an administrator to view exclusions']),
    steps: [{ phase: 'detect', expect: { result: 'unknown', says: ['defender could not be read'] } }],
  },
  {
    name: 'tamper-protection',
    title: 'tamper protection is required and off, then on',
    state: server,
    params: { tamper_required: true },
    steps: [
      { phase: 'detect', expect: { result: 'fail', says: ['tamper protection is off'] } },
      {
        change: 'the site switches it on',
        to: (state) => withValue(state, ['defender', 'status', 'IsTamperProtected'], true),
      },
      { phase: 'detect', expect: { ...pass, facts: { tamper: true } } },
    ],
  },
  {
    name: 'signatures-from-the-future',
    title: 'the signatures bear a time that is yet to come',
    state: signaturesOf(server, '2026-12-24T08:00:00Z'),
    steps: [{ phase: 'detect', expect: { result: 'unknown', says: ['yet to come'] } }],
  },
  {
    name: 'german',
    title: 'a German workstation in its own time zone is judged like any other',
    state: realtime(workstation, false),
    role: 'workstation',
    env: { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8', TZ: 'Europe/Berlin' },
    steps: [
      {
        phase: 'detect',
        expect: { result: 'fail', says: ['real-time protection is off'], facts: { signature_days: 1 } },
      },
      { phase: 'remediate', expect: { status: 'changed', changes: ['realtime'] } },
      { phase: 'verify', expect: pass },
    ],
  },
  {
    name: 'wrong-role',
    title: 'the list of targets calls a workstation a member server',
    state: workstation,
    role: 'member_server',
    steps: [{ phase: 'detect', expect: { result: 'unknown', says: ['the machine says workstation'] } }],
  },
  {
    name: 'access-denied',
    title: 'Windows denies the account the state of Defender and the Security Center',
    state: { ...workstation, denied: ['Get-MpComputerStatus', 'AntiVirusProduct'] },
    steps: [
      { phase: 'detect', expect: { result: 'unknown', says: ['Windows denies it'] } },
      { phase: 'remediate', expect: { fails: true } },
    ],
  },
];

export const av: ScenarioBook = {
  runbook: 'RB-WIN-AV-001',
  areas: ['services', 'defender'],
  scenarios,
  removal: 'healthy-workstation',
};
