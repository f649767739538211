// What happens on a simulated Windows machine, step by step, and what has to come of it.
import type { Judgement, FactKey } from '../../agent/checks/check.ts';
import type { RunbookParams, WindowsRole } from '../../agent/checks/windows/windows-check.ts';
import type { Actions } from '../../agent/execution/read-output.ts';
import type { LabState } from './run-step.ts';

export type { LabState, Json } from './run-step.ts';
export type { FactKey };

/** What the check has to say to what `detect` or `verify` saw. */
export interface Expected {
  readonly result: Judgement['result'];
  /** Parts of the sentence. */
  readonly says?: readonly string[];
  /** Recorded facts that must be among the judgement's. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/** What `plan`, `remediate`, `confirm` or `rollback` has to tell; `fails` where it must end with an error. */
export type ExpectedActions =
  | { readonly status: Actions['status']; readonly changes: readonly string[]; readonly rebootRequired?: boolean }
  | { readonly fails: true };

export type ScenarioStep =
  | { readonly phase: 'detect' | 'verify'; readonly expect: Expected }
  | { readonly phase: 'plan' | 'remediate' | 'confirm' | 'rollback'; readonly expect: ExpectedActions }
  /** The machine's clock goes on by so many seconds, and what is due happens. */
  | { readonly wait: number }
  /** Somebody else does something to the machine. Pure. */
  | { readonly change: string; readonly to: (state: LabState) => LabState };

export interface Scenario {
  /** File name of its recording: lower-case words joined by `-`. */
  readonly name: string;
  /** Completes "the scenario in which …". */
  readonly title: string;
  readonly state: LabState;
  /** As the list of targets declares it. */
  readonly role?: WindowsRole;
  /** Other than the runbook's defaults. */
  readonly params?: RunbookParams;
  readonly env?: Readonly<Record<string, string>>;
  readonly steps: readonly ScenarioStep[];
}

/** All scenarios of one runbook. */
export interface ScenarioBook {
  readonly runbook: string;
  /** Files of stub/areas. */
  readonly areas: readonly string[];
  readonly scenarios: readonly Scenario[];
  /** The scenario in whose first state each property that detect and verify read is taken away, one at a time. */
  readonly removal: string;
  /** `Class.property` that a script reads and whose absence may not change the judgement: property → why. */
  readonly removalExempt?: Readonly<Record<string, string>>;
}
