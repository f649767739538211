import { describe, expect, it } from 'vitest';
import { OVER_CPU_EXIT } from '../../../agent/execution/bootstrap.ts';
import { lookAt } from '../../../agent/execution/phase.ts';
import { winRmRunner } from '../../../agent/execution/winrm-runner.ts';
import { systemClock } from '../../../agent/system/clock.ts';
import { createIds } from '../../../agent/system/ids.ts';
import { openWinRmSession } from '../../../agent/winrm/open-session.ts';
import {
  BURNERS,
  burnerScript,
  burnerStep,
  CPU_BUDGET_MS,
  CPU_BUDGET_RECORDING,
  FRUGAL,
} from '../../lab/cpu-budget.ts';
import { findPowerShell } from '../../lab/powershell.ts';
import { Recordings } from '../../lab/recordings.ts';
import { readBootstrapInput } from '../../lab/windows-host.ts';
import { startWinRmServer } from '../../lab/winrm-server/start-winrm-server.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { loadedRunbook, testTarget } from '../../support/runbook-fixtures.ts';

const powershell = findPowerShell();
const recordings = new Recordings(CPU_BUDGET_RECORDING, powershell === null ? 'replay' : 'real', powershell);

describe('the processor time that a script may use on its target', () => {
  it.each(BURNERS.map((burner) => [burner.name, burner] as const))('ends %s', async (_name, burner) => {
    const outcome = await recordings.outcome(burnerStep(burner));
    expect(outcome.exitCode).toBe(OVER_CPU_EXIT);
    expect(outcome.stderr).toMatch(/^script_over_budget cpu_ms=\d+\r?\n$/);
    expect(outcome.stdout).toBe('');
  });

  it('leaves a script alone that keeps to it', async () => {
    expect(await recordings.outcome(FRUGAL)).toMatchObject({ exitCode: 0, stdout: 'done\n', stderr: '' });
  });

  it('is that of the runbook: what it cut short over WinRM is unknown as `over_budget`, and no shell is left', async () => {
    const [burner] = BURNERS;
    const asked: number[] = [];
    const server = await startWinRmServer({
      users: [{ user: 'agent', domain: 'CLINIC', password: 'Grüße-2026!' }],
      handler: async (run) => {
        const { cpuMs } = readBootstrapInput(await run.stdin());
        asked.push(cpuMs);
        const { exitCode, stderr } = await recordings.outcome(burnerStep(burner!, cpuMs));
        run.write('stderr', stderr);
        return exitCode ?? 1;
      },
    });
    const guard = { begin: () => ({ may: 'try' }) as const, end: () => undefined };
    const deps = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
    const { address, hostname } = { address: '127.0.0.1', hostname: 'srv-1.clinic.example' };
    const secret = Buffer.from('Grüße-2026!');
    const session = winRmRunner({ open: openWinRmSession, guard, ...deps }).open(
      testTarget('srv-1', { address, hostname, port: server.port, scheme: 'http', domain: 'CLINIC', secret }),
    );
    try {
      const loaded = {
        ...loadedRunbook({ budget: { cpu_s: CPU_BUDGET_MS / 1_000, output_kib: 64 }, timeout_s: 120 }),
        scripts: new Map([['detect.ps1', burnerScript(burner!)] as const]),
      };
      const reading = await lookAt(
        'detect',
        { loaded, params: {}, snapshot: null },
        session,
        new AbortController().signal,
      );
      expect(asked).toEqual([CPU_BUDGET_MS]);
      expect(reading).toMatchObject({ read: false, reason: 'over_budget' });
      await session.close();
      expect(server.liveShells).toBe(0);
    } finally {
      await session.close();
      await server.close();
    }
  });
});
