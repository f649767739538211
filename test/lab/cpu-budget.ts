// Scripts that use more processor time than they may, each in a way of its own that PowerShell would never come back from.
import type { Step } from './run-step.ts';
import { machine } from './scenarios/machines.ts';

export const CPU_BUDGET_MS = 2_000;

export interface Burner {
  readonly name: string;
  readonly code: string;
}

export const BURNERS: readonly Burner[] = [
  { name: 'a loop', code: 'while ($true) { $x = 1 }' },
  {
    name: 'a loop that goes on after every error',
    code: 'while ($true) { try { while ($true) { throw 1 } } catch { continue } finally { $x = 1 } }',
  },
  {
    name: 'one call that does not come back to PowerShell',
    code: `[void][regex]::IsMatch(('a' * 40), '^(a+)+$b')`,
  },
  {
    name: 'a thread beside the script, which itself only waits',
    code: `$other = [PowerShell]::Create()
[void]$other.AddScript('while ($true) { $x = 1 }').BeginInvoke()
while ($true) { [Threading.Thread]::Sleep(100) }`,
  },
  {
    name: 'a loop after a whole document was made',
    code: `Write-Output '{"schema":"compliance-agent/windows-facts/v1","facts":{}}'
while ($true) { $x = 1 }`,
  },
];

export const burnerScript = ({ code }: Burner): string => `param([string]$InputJson)\n${code}\n`;

/** What the executor hands to detect of a runbook without params. */
export const BURNER_INPUT = { phase: 'detect', params: {}, snapshot: null } as const;

export const burnerStep = (burner: Burner, cpuMs = CPU_BUDGET_MS): Step => ({
  script: burnerScript(burner),
  input: BURNER_INPUT,
  state: machine('workstation', {}),
  areas: [],
  cpuMs,
});

/** Ends by itself, well within the same budget. */
export const FRUGAL: Step = burnerStep({ name: 'frugal', code: `Write-Output 'done'` });

/** Folder and file of their recordings. */
export const CPU_BUDGET_RECORDING = 'lab/cpu-budget';
