// Plays one scenario: each script as the agent would run it, its output read and judged by the product's own code.
import { mkdtempSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Judgement } from '../../agent/checks/check.ts';
import { WINDOWS_CHECKS } from '../../agent/checks/windows/registry.ts';
import { unseen, type WindowsCheck } from '../../agent/checks/windows/windows-check.ts';
import { loadRunbook, type LoadedRunbook } from '../../agent/execution/load-runbook.ts';
import { errorRecords, readActions, readFacts, type Actions } from '../../agent/execution/read-output.ts';
import { defaultParams, type ScriptFile } from '../../agent/execution/runbook.ts';
import type { Phase } from '../../agent/execution/runner.ts';
import type { Recordings } from './recordings.ts';
import type { LabState, Step, StepOutput } from './run-step.ts';
import type { Scenario, ScenarioBook, ScenarioStep } from './scenario.ts';

export const WINDOWS_RUNBOOKS = fileURLToPath(new URL('../../runbooks/windows/', import.meta.url));

const SCRIPT_OF: Readonly<Record<Phase, ScriptFile>> = {
  detect: 'detect.ps1',
  plan: 'remediate.ps1',
  remediate: 'remediate.ps1',
  confirm: 'remediate.ps1',
  verify: 'verify.ps1',
  rollback: 'rollback.ps1',
};

/** Lets the machine's clock go on: a step like any other, so that it is recorded too. */
const WAIT_SCRIPT = `param([string]$InputJson)\nStep-Lab ([int](ConvertFrom-Json -InputObject $InputJson).seconds)\n`;

export interface Played {
  readonly step: ScenarioStep;
  readonly before: LabState;
  readonly after: LabState;
  readonly output: StepOutput | null;
  /** Of detect and verify. */
  readonly judgement: Judgement | null;
  /** Of plan, remediate, confirm and rollback; null where the phase failed. */
  readonly actions: Actions | null;
}

export function labRunbook(id: string): { loaded: LoadedRunbook; check: WindowsCheck } {
  const check = WINDOWS_CHECKS.find(({ runbook }) => runbook === id);
  if (check === undefined) throw new Error(`no Windows check judges ${id}`);
  return { loaded: loadRunbook(join(WINDOWS_RUNBOOKS, id), WINDOWS_CHECKS), check };
}

/** One phase as a step of the lab. */
function stepOf(book: ScenarioBook, scenario: Scenario, phase: Phase, state: LabState, snapshot: unknown): Step {
  const { loaded } = labRunbook(book.runbook);
  const { runbook, scripts } = loaded;
  return {
    script: scripts.get(SCRIPT_OF[phase]) ?? '',
    input: { phase, params: { ...defaultParams(runbook), ...scenario.params }, snapshot },
    state,
    areas: book.areas,
    cpuMs: budgetOf(loaded).cpuMs,
    ...(scenario.env === undefined ? {} : { env: scenario.env }),
  };
}

const asRun = (output: StepOutput) => ({
  exitCode: output.exitCode,
  stdout: Buffer.from(output.stdout),
  stderr: Buffer.from(output.stderr),
  truncated: false,
});

function judge(book: ScenarioBook, scenario: Scenario, output: StepOutput): { judgement: Judgement; facts: unknown } {
  const { loaded, check } = labRunbook(book.runbook);
  const run = asRun(output);
  const reading = readFacts(run, errorRecords(run.stderr), budgetOf(loaded));
  if (!reading.read) return { judgement: unseen(reading.reason, reading.sentence), facts: null };
  const judgement = check.judge({
    facts: reading.value,
    params: { ...defaultParams(loaded.runbook), ...scenario.params },
    now: Date.parse(output.stateAfter.now) / 1000,
    role: scenario.role ?? null,
  });
  return { judgement, facts: reading.value };
}

function budgetOf({ runbook }: LoadedRunbook) {
  if (runbook.platform !== 'windows') throw new Error(`${runbook.id} is no Windows runbook`);
  return { cpuMs: runbook.budget.cpu_s * 1000, outputBytes: runbook.budget.output_kib * 1024 };
}

/** Plays all steps, each on the state that the one before left. */
export async function playScenario(book: ScenarioBook, scenario: Scenario, recordings: Recordings): Promise<Played[]> {
  const played: Played[] = [];
  const { loaded } = labRunbook(book.runbook);
  let state = scenario.state;
  let snapshot: unknown = null;
  for (const step of scenario.steps) {
    const before = state;
    const none = { step, before, output: null, judgement: null, actions: null };
    if ('change' in step) {
      state = step.to(before);
      played.push({ ...none, after: state });
      continue;
    }
    if ('wait' in step) {
      const waited: Step = {
        script: WAIT_SCRIPT,
        input: { seconds: step.wait },
        state,
        areas: book.areas,
        ...(scenario.env === undefined ? {} : { env: scenario.env }),
      };
      state = (await recordings.outcome(waited)).stateAfter;
      played.push({ ...none, after: state });
      continue;
    }
    const given = step.phase === 'detect' || step.phase === 'verify' ? null : snapshot;
    const output = await recordings.outcome(stepOf(book, scenario, step.phase, state, given));
    state = output.stateAfter;
    if (step.phase === 'detect' || step.phase === 'verify') {
      const { judgement, facts } = judge(book, scenario, output);
      if (step.phase === 'detect') snapshot = facts;
      played.push({ step, before, after: state, output, judgement, actions: null });
    } else {
      const run = asRun(output);
      const reading = readActions(run, errorRecords(run.stderr), budgetOf(loaded));
      played.push({
        step,
        before,
        after: state,
        output,
        judgement: null,
        actions: reading.read ? reading.value : null,
      });
    }
  }
  return played;
}

/** The properties of documented objects that `phase` reads in the scenario's first state, each once, sorted. */
export async function propertiesRead(
  book: ScenarioBook,
  scenario: Scenario,
  phase: 'detect' | 'verify',
  recordings: Recordings,
): Promise<readonly string[]> {
  const step = stepOf(book, scenario, phase, scenario.state, null);
  return recordings.note(step, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lab-trace-'));
    const trace = join(folder, 'reads');
    try {
      await recordings.outcome(step, trace);
      const lines = existsSync(trace) ? readFileSync(trace, 'utf8').split('\n') : [];
      return [...new Set(lines.filter((line) => line !== ''))].toSorted();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

/** What the check says when the machine's objects lack `property` ("Class.Property"). */
export async function judgeWithout(
  book: ScenarioBook,
  scenario: Scenario,
  phase: 'detect' | 'verify',
  property: string,
  recordings: Recordings,
): Promise<Judgement> {
  const state = { ...scenario.state, removed: [property] };
  return judge(book, scenario, await recordings.outcome(stepOf(book, scenario, phase, state, null))).judgement;
}
