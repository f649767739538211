// Machines that are asked who they are, by the product's own guard. Played in real PowerShell or from recordings.
import { guardedScript } from '../../agent/execution/machine-identity.ts';
import type { Json, LabState, Step } from './run-step.ts';

const MACHINE = 'S-1-5-21-1004336348-1177238915-682003330';
const DOMAIN = 'S-1-5-21-2000478354-688789844-839522115';
const OTHER = 'S-1-5-21-1-2-3';

/** Local accounts as a German server lists them, and one of the domain that WQL leaves out. */
const ACCOUNTS: Json = [
  { Name: 'Administrator', Domain: 'SRV-1', LocalAccount: true, SID: `${MACHINE}-500` },
  { Name: 'Gast', Domain: 'SRV-1', LocalAccount: true, SID: `${MACHINE}-501` },
  { Name: 'agent', Domain: 'SRV-1', LocalAccount: true, SID: `${MACHINE}-1001` },
  { Name: 'Administrator', Domain: 'CLINIC', LocalAccount: false, SID: `${DOMAIN}-500` },
];

const state = (productType: number | null, rest: Readonly<Record<string, Json>>): LabState => {
  const { accounts = null, ...others } = rest;
  const cim: Record<string, Json> = {};
  if (productType !== null) cim['Win32_OperatingSystem'] = [{ ProductType: productType, BuildNumber: '20348' }];
  if (accounts !== null) cim['Win32_UserAccount'] = accounts;
  return { now: '2026-06-01T10:00:00Z', cim, ...others };
};
const member = (changes: Readonly<Record<string, Json>> = {}): LabState => state(3, { accounts: ACCOUNTS, ...changes });

export interface Asked {
  readonly name: string;
  readonly state: LabState;
  /** The machine that is expected; null at first contact. */
  readonly expected: string | null;
  /** What it says of itself; null where it cannot. */
  readonly sid: string | null;
  /** Whether the script runs. */
  readonly runs: boolean;
}

export const IDENTITIES: readonly Asked[] = [
  { name: 'a member server at first contact', state: member(), expected: null, sid: MACHINE, runs: true },
  { name: 'a member server that is expected', state: member(), expected: MACHINE, sid: MACHINE, runs: true },
  { name: 'a member server that is not', state: member(), expected: OTHER, sid: MACHINE, runs: false },
  {
    name: 'a workstation whose administrator has another name',
    state: state(1, { accounts: [{ Name: 'chef', LocalAccount: true, SID: `${MACHINE}-500` }] }),
    expected: MACHINE,
    sid: MACHINE,
    runs: true,
  },
  {
    name: 'a domain controller',
    state: state(2, { accounts: ACCOUNTS, names: { krbtgt: `${DOMAIN}-502` } }),
    expected: DOMAIN,
    sid: DOMAIN,
    runs: true,
  },
  {
    name: 'a domain controller whose account database does not answer',
    state: state(2, { accounts: ACCOUNTS }),
    expected: null,
    sid: null,
    runs: true,
  },
  {
    name: 'a machine whose account may not read the accounts',
    state: member({ denied: ['Win32_UserAccount'] }),
    expected: null,
    sid: null,
    runs: true,
  },
  {
    name: 'a machine that is expected and whose account may not read the accounts',
    state: member({ denied: ['Win32_UserAccount'] }),
    expected: MACHINE,
    sid: null,
    runs: false,
  },
  {
    name: 'a machine whose account may not read what it is',
    state: member({ denied: ['Win32_OperatingSystem'] }),
    expected: MACHINE,
    sid: null,
    runs: false,
  },
  {
    name: 'a machine without the class of accounts',
    state: state(3, {}),
    expected: MACHINE,
    sid: null,
    runs: false,
  },
  {
    name: 'a machine whose accounts have no SID',
    state: member({ removed: ['Win32_UserAccount.SID'] }),
    expected: MACHINE,
    sid: null,
    runs: false,
  },
  {
    name: 'a machine that does not say whether it is a domain controller',
    state: member({ removed: ['Win32_OperatingSystem.ProductType'] }),
    expected: MACHINE,
    sid: null,
    runs: false,
  },
  {
    name: 'a machine with two account databases',
    state: state(3, {
      accounts: [
        { LocalAccount: true, SID: `${MACHINE}-500` },
        { LocalAccount: true, SID: `${OTHER}-500` },
      ],
    }),
    expected: MACHINE,
    sid: null,
    runs: false,
  },
  {
    name: 'a machine whose accounts have malformed SIDs',
    state: state(3, {
      accounts: [
        { LocalAccount: true, SID: `${MACHINE}-500-1` },
        { LocalAccount: true, SID: 'S-1-5-500' },
      ],
    }),
    expected: null,
    sid: null,
    runs: true,
  },
];

/** Says back what it was given, strictly, and has umlauts in it. */
export const SAYS_BACK =
  'param([string]$InputJson)\nSet-StrictMode -Version Latest\n$given = ConvertFrom-Json $InputJson\n' +
  '\'{"schema":"grün","phase":"\' + $given.phase + \'"}\'\n';

export const identityStep = ({ state: of, expected }: Asked): Step => ({
  script: guardedScript(SAYS_BACK, expected),
  input: { phase: 'detect' },
  state: of,
  areas: ['identity'],
});

/** Folder and file of their recordings. */
export const IDENTITIES_RECORDING = 'lab/identities';
