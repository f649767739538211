// Outputs of real PowerShell, kept for machines that have none. A recording is named by everything that the step depends on,
// so it cannot go stale, and it is written by tools/lab-record.ts only.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonical, runStep, stepKey, type LabState, type Step, type StepOutput } from './run-step.ts';
import type { PowerShell } from './powershell.ts';

const RECORDINGS = fileURLToPath(new URL('./recordings/', import.meta.url));

interface Recorded {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Null where the step left the state as it was. */
  readonly stateAfter: LabState | null;
}

interface RecordingFile {
  /** The PowerShell that made it. */
  powershell: string;
  /** Further values that only a real run can tell (which properties a script reads), by the step's key. */
  notes: Record<string, readonly string[]>;
  steps: Record<string, Recorded>;
}

export type LabMode = 'replay' | 'real' | 'record';

/** What a run measures differs each time: it is recorded as zero. */
const MEASURED = /\b(cpu_ms"?[:=])\d+/g;
const neutral = (text: string) => text.replace(MEASURED, '$10');

export class Recordings {
  readonly #path: string;
  readonly #mode: LabMode;
  readonly #powershell: PowerShell | null;
  readonly #file: RecordingFile;
  readonly #kept: RecordingFile;

  /** `name`: `<runbook>/<scenario>`. Real runs need a `powershell`. */
  constructor(name: string, mode: LabMode, powershell: PowerShell | null) {
    this.#path = `${RECORDINGS}${name}.json`;
    this.#mode = mode;
    this.#powershell = powershell;
    this.#file = existsSync(this.#path)
      ? (JSON.parse(readFileSync(this.#path, 'utf8')) as RecordingFile)
      : { powershell: '', notes: {}, steps: {} };
    this.#kept = { powershell: powershell?.version ?? '', notes: {}, steps: {} };
  }

  /**
   * The step's outcome: recorded, or run for real and held against the recording.
   *
   * @throws "script changed: record again" where there is no recording of exactly this step
   */
  async outcome(step: Step, traceTo?: string): Promise<StepOutput> {
    const key = stepKey(step);
    const recorded = this.#file.steps[key];
    if (this.#mode === 'replay' || this.#powershell === null) {
      if (recorded === undefined) throw changed(this.#path);
      return { ...recorded, stateAfter: recorded.stateAfter ?? step.state };
    }
    if (this.#mode === 'record' && recorded !== undefined && traceTo === undefined) {
      // Nothing that it depends on has changed.
      this.#kept.steps[key] = recorded;
      return { ...recorded, stateAfter: recorded.stateAfter ?? step.state };
    }
    const real = await runStep(this.#powershell, step, traceTo);
    // A traced run is no step of a scenario: what it tells is kept as a note.
    if (traceTo !== undefined) return real;
    const outcome: Recorded = {
      exitCode: real.exitCode,
      stdout: neutral(real.stdout),
      stderr: neutral(real.stderr),
      stateAfter: canonical(real.stateAfter) === canonical(step.state) ? null : real.stateAfter,
    };
    if (this.#mode === 'record') this.#kept.steps[key] = outcome;
    else if (recorded === undefined) throw changed(this.#path);
    else if (canonical(recorded) !== canonical(outcome)) {
      throw new Error(
        `real PowerShell ${this.#powershell.version} does otherwise than the recording in ${this.#path}:\n` +
          `recorded ${canonical(recorded)}\nreal     ${canonical(outcome)}`,
      );
    }
    return { ...outcome, stateAfter: real.stateAfter };
  }

  /** A list that only a real run of `step` can tell: from the recording, or from `tell` and kept. */
  async note(step: Step, tell: () => Promise<readonly string[]>): Promise<readonly string[]> {
    const key = stepKey(step);
    const kept = this.#file.notes[key];
    if (this.#mode !== 'record' && kept === undefined) throw changed(this.#path);
    const told = kept === undefined || this.#mode === 'real' ? await tell() : kept;
    if (kept !== undefined && canonical(told) !== canonical(kept)) {
      throw new Error(`real PowerShell tells otherwise than the recording in ${this.#path}: ${canonical(told)}`);
    }
    if (this.#mode === 'record') this.#kept.notes[key] = told;
    return told;
  }

  /** Writes what was recorded in place of what was there. Recordings of steps that are gone go with it. */
  write(): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(this.#path, `${JSON.stringify(this.#kept, null, 1)}\n`);
  }
}

const changed = (path: string) =>
  new Error(`script changed: record again (npm run lab:record); ${path} has no such step`);
