// Runs one script on the simulated Windows machine: real PowerShell, the product's own bootstrap, stub cmdlets over a state.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BOOTSTRAP, bootstrapArguments, bootstrapInput, encodedCommand } from '../../agent/execution/bootstrap.ts';
import { QUIET_TERMINAL, type PowerShell } from './powershell.ts';

const STUB = fileURLToPath(new URL('./stub/', import.meta.url));

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The simulated machine: `now` (ISO, UTC), and a section for each area. `files` are what lies in %ProgramFiles%. */
export interface LabState {
  readonly now: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly [section: string]: Json | undefined;
}

export interface Step {
  readonly script: string;
  /** What the script gets as its input. */
  readonly input: unknown;
  readonly state: LabState;
  /** Which files of stub/areas and stub/documented are loaded, in this order. */
  readonly areas: readonly string[];
  /** Milliseconds of processor time that it may use; {@link LAB_CPU_MS} where nothing is said. */
  readonly cpuMs?: number;
  /** Of the process: TZ, LANG. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface StepOutput {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly stateAfter: LabState;
}

/** Longer than any step takes on a loaded machine; what is over it hangs. */
const DEADLINE_MS = 120_000;

/** More than any step of the lab uses. */
const LAB_CPU_MS = 60_000;

/** The simulated machine's %ProgramFiles% in states and outputs, whatever folder stands for it in a run. */
const PROGRAM_FILES = 'C:/Program Files';

/** What a step's outcome depends on beside its script, input and state. */
export function stubFiles(areas: readonly string[]): string[] {
  const own = areas.flatMap((area) => [`areas/${area}.ps1`, `documented/${area}.json`]);
  return ['lab.psm1', 'documented/core.json', ...own].map((file) => join(STUB, file));
}

/** Names a step by all that it depends on: script, input, state, environment, processor time, stub and bootstrap. */
export function stepKey(step: Step): string {
  const hash = createHash('sha256');
  const parts = [step.script, canonical(step.input), canonical(step.state), canonical(step.env ?? {}), BOOTSTRAP];
  if (step.cpuMs !== undefined) parts.push(String(step.cpuMs));
  for (const part of parts) hash.update(part).update('\0');
  for (const file of stubFiles(step.areas)) hash.update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

/** JSON with sorted keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** Files below `folder`, by path with `/`. */
function filesBelow(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found[relative(folder, path)] = readFileSync(path, 'utf8');
  }
  return found;
}

/** The bootstrap, after the stub module was loaded into its session. */
function labArguments(): string[] {
  const load = `Import-Module -DisableNameChecking -Global '${join(STUB, 'lab.psm1').replaceAll("'", "''")}'`;
  return [...bootstrapArguments().slice(0, -1), encodedCommand(`${load}\n${BOOTSTRAP}`)];
}

/** Runs `step` in `powershell`. `traceTo` gets one line for each property of a documented object that the script reads. */
export async function runStep(powershell: PowerShell, step: Step, traceTo?: string): Promise<StepOutput> {
  const folder = mkdtempSync(join(tmpdir(), 'lab-'));
  try {
    const programFiles = join(folder, 'Program Files');
    const stateFile = join(folder, 'state.json');
    mkdirSync(programFiles);
    const { files = {}, ...sections } = step.state;
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(programFiles, path)), { recursive: true });
      writeFileSync(join(programFiles, path), text);
    }
    writeFileSync(stateFile, JSON.stringify(sections).replaceAll(PROGRAM_FILES, programFiles));
    const output = await run(powershell, bootstrapInput(step.script, step.input, step.cpuMs ?? LAB_CPU_MS), {
      ...step.env,
      LAB_STATE: stateFile,
      LAB_AREAS: step.areas.join(','),
      ProgramFiles: programFiles,
      TEMP: folder,
      ...(traceTo === undefined ? {} : { LAB_TRACE: traceTo }),
    });
    const neutral = (text: string) => text.replaceAll(programFiles, PROGRAM_FILES);
    const after = JSON.parse(neutral(readFileSync(stateFile, 'utf8'))) as LabState;
    const filesAfter = filesBelow(programFiles);
    return {
      exitCode: output.exitCode,
      stdout: neutral(output.stdout),
      stderr: neutral(output.stderr),
      stateAfter: Object.keys(filesAfter).length === 0 ? after : { ...after, files: filesAfter },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(
  powershell: PowerShell,
  stdin: Buffer,
  env: Readonly<Record<string, string>>,
): Promise<Omit<StepOutput, 'stateAfter'>> {
  return new Promise((resolve, reject) => {
    const child = spawn(powershell.path, labArguments(), {
      env: {
        ...process.env,
        TZ: 'UTC',
        LANG: 'C.UTF-8',
        ...QUIET_TERMINAL,
        POWERSHELL_TELEMETRY_OPTOUT: '1',
        DOTNET_CLI_TELEMETRY_OPTOUT: '1',
        ...env,
      },
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
    });
    const chunks: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    child.stdout.on('data', (chunk: Buffer) => chunks.stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.stderr.push(chunk));
    child.on('error', reject);
    child.on('close', (exitCode) =>
      resolve({
        exitCode,
        stdout: Buffer.concat(chunks.stdout).toString('utf8'),
        stderr: Buffer.concat(chunks.stderr).toString('utf8'),
      }),
    );
    // A process that ends before it read everything is told by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
  });
}
