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
  OVER_CPU_EXIT,
  OVER_CPU_WORD,
  POWERSHELL,
} from '../../agent/execution/bootstrap.ts';
import { winRmRunner } from '../../agent/execution/winrm-runner.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createIds } from '../../agent/system/ids.ts';
import { openWinRmSession } from '../../agent/winrm/open-session.ts';
import type { WinRmSession } from '../../agent/winrm/session.ts';
import { playScenario } from '../lab/play-scenario.ts';
import { findPowerShell, QUIET_TERMINAL } from '../lab/powershell.ts';
import { Recordings } from '../lab/recordings.ts';
import type { LabState, Step, StepOutput } from '../lab/run-step.ts';
import { SCENARIO_BOOKS } from '../lab/scenarios/books.ts';
import { memoryLog } from '../support/fakes/memory-log.ts';
import { testTarget } from '../support/runbook-fixtures.ts';
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
      stdin: bootstrapInput(step.script, step.input, step.cpuMs ?? DEADLINE_MS),
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

/** What the executor's own runner does there; the server is asked what came of it. */
describe('the executor in real PowerShell behind an independent WinRM server', () => {
  it('runs one script after the other over one logon, has one cut short by its processor time, and leaves no shell', async (ctx) => {
    ctx.skip(lab === undefined, 'WINRM_LAB is not set');
    ctx.skip(powershell === null, 'no PowerShell 7.4 or later (PWSH)');
    const { http, credentials, control } = target!;
    const told: (string | null)[] = [];
    const guard = {
      begin: () => ({ may: 'try' }) as const,
      end: (_: unknown, code: string | null) => void told.push(code),
    };
    const deps = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
    const { user, domain, password } = credentials;
    const who = { principal: user, domain, secret: password };
    const { hostname, port } = http!;
    const where = { hostname, address: '127.0.0.1', port, scheme: 'http' } as const;
    const opened = winRmRunner({ open: openWinRmSession, guard, ...deps }).open(
      testTarget('lab', { ...where, ...who }),
    );
    const run = (body: string, cpuMs: number) =>
      opened.run(
        {
          script: `param([string]$InputJson)\n${body}\n`,
          params: {},
          cpuMs,
          timeoutMs: DEADLINE_MS,
          outputCapBytes: 65_536,
        },
        new AbortController().signal,
      );
    const before = await control!.stats();
    try {
      for (let n = 1; n <= 2; n += 1) {
        expect(await run(`Write-Output 'line ${n}'`, DEADLINE_MS)).toMatchObject({ exitCode: 0 });
      }
      const cut = await run('while ($true) { $x = 1 }', 2_000);
      expect(cut.exitCode).toBe(OVER_CPU_EXIT);
      expect(cut.stderr.toString()).toContain(OVER_CPU_WORD);
      expect((await run("Write-Output 'still here'", DEADLINE_MS)).stdout.toString()).toContain('still here');
      expect((await control!.stats()).live_shells).toBe(before.live_shells + 1);
    } finally {
      await opened.close();
    }
    const after = await control!.stats();
    expect(after.live_shells).toBe(before.live_shells);
    expect(told).toEqual([null]);
    expect((after.stats['auth.ok'] ?? 0) - (before.stats['auth.ok'] ?? 0)).toBe(1);
  });
});

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
