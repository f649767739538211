// What the stubs refuse, so that a script cannot come to lean on something that Microsoft's pages do not name.
import type { Step } from './run-step.ts';
import { machine } from './scenarios/machines.ts';

const state = machine('workstation', {
  cim: {
    Win32_Service: [{ Name: 'WinDefend', State: 'Running' }],
    AntiVirusProduct: [{ displayName: 'x', noSuchProperty: 1 }],
  },
  defender: { running: true, status: { AMRunningMode: 'Normal', NoSuchStatus: true }, preferences: {}, updates: {} },
  registry: { 'HKLM:\\SOFTWARE\\NoPage': { Value: 1 } },
  firewall: { local: { profiles: [{ Name: 'Public', Enabled: 'Vielleicht' }], rules: [] } },
});

export interface Refusal {
  readonly name: string;
  readonly code: string;
  /** Part of what the bootstrap tells of the error. */
  readonly tells: string;
}

export const REFUSALS: readonly Refusal[] = [
  {
    name: 'a parameter that the page of its cmdlet lacks',
    code: 'Get-MpComputerStatus -NoSuchParameter 1',
    tells: 'id=NamedParameterNotFound,Get-MpComputerStatus',
  },
  {
    name: 'a parameter that the page of its cmdlet has and no stub models',
    code: 'Get-NetFirewallProfile -GPOSession x',
    tells: 'id=NamedParameterNotFound,Get-NetFirewallProfile',
  },
  {
    name: 'a property that the page of its class lacks, in a state',
    code: 'Get-MpComputerStatus',
    tells: 'id=MSFT_MpComputerStatus has no property NoSuchStatus',
  },
  {
    name: 'a property that the page of a CIM class lacks, in a state',
    code: 'Get-CimInstance -Namespace root/SecurityCenter2 -ClassName AntiVirusProduct',
    tells: 'id=AntiVirusProduct has no property noSuchProperty',
  },
  {
    name: 'a property that the page of its class lacks, in a script',
    code: 'Set-StrictMode -Version Latest; (Get-CimInstance -ClassName Win32_Service).NoSuchProperty',
    tells: 'id=PropertyNotFoundStrict',
  },
  {
    name: 'a CIM class in another namespace than its own',
    code: 'Get-CimInstance -ClassName AntiVirusProduct',
    tells: 'id=HRESULT 0x80041010',
  },
  {
    name: 'a value that an enumeration has not',
    code: "Get-NetFirewallProfile -PolicyStore 'ActiveStore'",
    tells: "cannot be 'Vielleicht'",
  },
  {
    name: 'a registry value that no page names',
    code: "Get-ItemProperty -LiteralPath 'HKLM:\\SOFTWARE\\NoPage'",
    tells: 'no page of the lab names the registry value',
  },
  {
    name: 'a use of a program that nobody modelled',
    code: 'netsh.exe advfirewall reset',
    tells: "the lab's netsh knows",
  },
];

export const refusalStep = ({ code }: Refusal): Step => ({
  script: `param([string]$InputJson)\n${code}\n`,
  input: {},
  state,
  areas: ['services', 'tasks', 'firewall', 'defender'],
});

/** Folder and file of their recordings. */
export const REFUSALS_RECORDING = 'lab/refusals';
