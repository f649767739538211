// Our scripts in real PowerShell behind a server of other people: whole scenarios of the simulated Windows machine, each step
// carried by the WinRM client instead of a child process.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  BOOTSTRAP,
  bootstrapArguments,
  bootstrapInput,
  encodedCommand,
  POWERSHELL,
} from '../../agent/execution/bootstrap.ts';
import type { WinRmSession } from '../../agent/winrm/session.ts';
import { playScenario } from '../lab/play-scenario.ts';
import { findPowerShell, QUIET_TERMINAL } from '../lab/powershell.ts';
import { Recordings } from '../lab/recordings.ts';
import type { LabState, Step, StepOutput } from '../lab/run-step.ts';
import { SCENARIO_BOOKS } from '../lab/scenarios/books.ts';
import { labSession } from '../support/winrm-lab.ts';
import { startLab, type InteropTarget } from '../support/winrm-interop.ts';

const STUB = fileURLToPath(new URL('../lab/stub/lab.psm1', import.meta.url));
const DEADLINE_MS = 120_000;

let target: InteropTarget | null = null;
let session: WinRmSession | null = null;
let folder = '';

const lab = process.env['WINRM_LAB'];
const powershell = lab === undefined ? null : findPowerShell();

beforeAll(async () => {
  if (lab === undefined || powershell === null) return;
  folder = mkdtempSync(join(tmpdir(), 'winrm-exec-'));
  target = await startLab(lab, ['--exec', `${powershell.path} -NoLogo -NoProfile -NonInteractive`]);
  session = labSession(target.http!, target.credentials, {}).session;
});
afterAll(async () => {
  await session?.close();
  const stats = await target?.control?.stats();
  target?.stop();
  rmSync(folder, { recursive: true, force: true });
  if (stats !== undefined) expect([stats.live_shells, stats.stats['seal.fail'] ?? 0]).toEqual([0, 0]);
});

/** Steps over WinRM: the lab's state is named by the command itself, since a shell has no environment of ours. */
class OverWinRm extends Recordings {
  override async outcome(step: Step): Promise<StepOutput> {
    const run = mkdtempSync(join(folder, 'step-'));
    const programFiles = join(run, 'Program Files');
    const stateFile = join(run, 'state.json');
    mkdirSync(programFiles);
    const { files = {}, ...sections } = step.state;
    if (Object.keys(files).length > 0) throw new Error('scenarios with files are played elsewhere');
    writeFileSync(stateFile, JSON.stringify(sections).replaceAll('C:/Program Files', programFiles));
    const environment = {
      ...QUIET_TERMINAL,
      TZ: 'UTC',
      ...step.env,
      LAB_STATE: stateFile,
      LAB_AREAS: step.areas.join(','),
      ProgramFiles: programFiles,
      TEMP: run,
    };
    const prelude = Object.entries(environment).map(([name, value]) => `$env:${name} = ${quoted(value)}`);
    prelude.push(`Import-Module -DisableNameChecking -Global ${quoted(STUB)}`, BOOTSTRAP);
    const result = await session!.run({
      command: POWERSHELL,
      args: [...bootstrapArguments().slice(0, -1), encodedCommand(prelude.join('\n'))],
      stdin: bootstrapInput(step.script, step.input),
      timeoutMs: DEADLINE_MS,
      outputCapBytes: 1_048_576,
    });
    return {
      exitCode: result.exitCode,
      stdout: result.stdout.toString('utf8'),
      stderr: result.stderr.toString('utf8'),
      stateAfter: JSON.parse(readFileSync(stateFile, 'utf8')) as LabState,
    };
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

describe('a runbook in real PowerShell behind an independent WinRM server', () => {
  it.for(['RB-WIN-AV-001', 'RB-WIN-FIREWALL-001', 'RB-WIN-LOGGING-001'])(
    '%s finds drift, heals it and finds it healed, as the scenario says',
    async (runbook, ctx) => {
      ctx.skip(lab === undefined, 'WINRM_LAB is not set');
      ctx.skip(powershell === null, 'no PowerShell 7.4 or later (PWSH)');
      const book = SCENARIO_BOOKS.find((one) => one.runbook === runbook)!;
      const scenario = book.scenarios.find(({ name }) => name === 'drifted-and-healed')!;
      const played = await playScenario(book, scenario, new OverWinRm('none', 'replay', null));
      const seen = played.map(({ step, judgement, actions }) =>
        'phase' in step ? [step.phase, judgement?.result ?? actions?.status ?? 'fails'] : 'other',
      );
      const expected = scenario.steps.map((step) => {
        if (!('phase' in step)) return 'other';
        const { expect: wanted } = step;
        return [step.phase, 'result' in wanted ? wanted.result : 'status' in wanted ? wanted.status : 'fails'];
      });
      expect(seen).toEqual(expected);
      expect(seen.length).toBeGreaterThan(3);
    },
  );
});
