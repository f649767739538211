import { afterAll, describe, expect, it } from 'vitest';
import { createLockoutGuard } from '../../agent/targets/lockout-guard.ts';
import type { Runner, RunOutput, ScriptRun } from '../../agent/execution/runner.ts';
import { winRmRunner } from '../../agent/execution/winrm-runner.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createIds } from '../../agent/system/ids.ts';
import type { Target } from '../../agent/targets/target.ts';
import { openWinRmSession } from '../../agent/winrm/open-session.ts';
import { simulatedSite, type SimulatedMachine, type SimulatedSite } from '../lab/simulated-site.ts';
import { hostHandler } from '../lab/windows-host.ts';
import { startWinRmServer, type WinRmServer } from '../lab/winrm-server/start-winrm-server.ts';
import { withLog } from '../support/evidence-fixtures.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { memoryLog } from '../support/fakes/memory-log.ts';
import { drifted, machine, testTarget } from '../support/runbook-fixtures.ts';
import { until } from '../../tools/demo/process.ts';

const PASSWORD = 'Grüße-2026!';
const USERS = [{ user: 'agent', domain: 'CLINIC', password: PASSWORD }];

interface Place {
  readonly runner: Runner;
  readonly target: Target;
  readonly site: SimulatedSite;
  /** Null in memory. */
  readonly server: WinRmServer | null;
  close(): Promise<void>;
}

async function inMemory(one: SimulatedMachine): Promise<Place> {
  const site = simulatedSite({ 'srv-1': one });
  return { runner: site, target: testTarget(), site, server: null, close: () => Promise.resolve() };
}

async function overWinRm(one: SimulatedMachine): Promise<Place> {
  const site = simulatedSite({ 'srv-1': one });
  const server = await startWinRmServer({ users: USERS, handler: hostHandler(site, 'srv-1') });
  const guard = { begin: () => ({ may: 'try' }) as const, end: () => undefined };
  const deps = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
  return {
    runner: winRmRunner({ open: openWinRmSession, guard, ...deps }),
    target: winTarget(server.port),
    site,
    server,
    close: () => server.close(),
  };
}

const winTarget = (port: number, password = PASSWORD): Target =>
  testTarget('srv-1', {
    hostname: 'srv-1.clinic.example',
    address: '127.0.0.1',
    port,
    scheme: 'http',
    domain: 'CLINIC',
    secret: Buffer.from(password),
  });

const SCRIPT = 'param([string]$InputJson)\n# Grüße, 日本\n';
const run = (phase: string, o: Partial<ScriptRun> = {}): ScriptRun => ({
  script: SCRIPT,
  params: { phase, params: { text: 'quoted \' " ` $x é' }, snapshot: null },
  timeoutMs: 60_000,
  outputCapBytes: 65_536,
  ...o,
});
const never = new AbortController().signal;

describe.each([
  ['in memory', inMemory],
  ['over WinRM', overWinRm],
])('a runner %s', (_name, open) => {
  const places: Place[] = [];
  const place = async (one: SimulatedMachine): Promise<Place> => {
    const made = await open(one);
    places.push(made);
    return made;
  };
  afterAll(async () => {
    for (const made of places) await made.close();
  });

  it('hands over script and parameters as they are and brings back what was printed', async () => {
    const inputs: unknown[] = [];
    const { runner, target, site, server } = await place(
      machine({
        answers: {
          detect: (input) => {
            inputs.push(input);
            return { exitCode: 3, stdout: Buffer.from('läuft\n'), stderr: Buffer.from('oh\n') };
          },
        },
      }),
    );
    const output: RunOutput = await runner.run(target, run('detect'), never);
    expect(output).toMatchObject({ exitCode: 3, truncated: false });
    expect(output.stdout.toString()).toBe('läuft\n');
    expect(output.stderr.toString()).toBe('oh\n');
    expect(site.runs[0]?.script).toBe(SCRIPT);
    expect(inputs).toEqual([run('detect').params]);
    if (server !== null) await until('the shell is gone', () => server.liveShells === 0 || null, 20_000);
  });

  it('keeps state between runs on the machine, none of its own', async () => {
    const { runner, target } = await place(drifted());
    const changes = async (): Promise<unknown> => {
      const { stdout } = await runner.run(target, run('remediate'), never);
      return (JSON.parse(stdout.toString()) as { facts: { changes: unknown } }).facts.changes;
    };
    expect(await changes()).toHaveLength(2);
    expect(await changes()).toEqual([]);
  });

  it('cuts off what is printed beyond the cap, and says so', async () => {
    const { runner, target } = await place(machine({ answers: { detect: () => 'x'.repeat(300_000) } }));
    const { stdout, truncated } = await runner.run(target, run('detect', { outputCapBytes: 10_000 }), never);
    expect(truncated).toBe(true);
    expect(stdout.length).toBeLessThanOrEqual(10_000);
  });

  it('gives up what does not end, with runner_timeout, and leaves nothing behind', async () => {
    const { runner, target, server } = await place(machine({ hangs: ['detect'] }));
    await expectCodeAsync(runner.run(target, run('detect', { timeoutMs: 1_500 }), never), 'runner_timeout');
    if (server !== null) await until('the shell is gone', () => server.liveShells === 0 || null, 20_000);
  });

  it("ends with the caller's reason when the caller gives up", async () => {
    const { runner, target, site, server } = await place(machine({ hangs: ['detect'] }));
    const controller = new AbortController();
    const running = runner.run(target, run('detect'), controller.signal);
    await until('the script runs', () => site.runs.length > 0 || null, 20_000);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    if (server !== null) await until('the shell is gone', () => server.liveShells === 0 || null, 20_000);
  });
});

describe('the runner on WinRM', () => {
  it('tries a wrong password once: the guard holds it back on every target until the secret changes', () =>
    withLog(async ({ store }) => {
      const site = simulatedSite({ 'srv-1': machine() });
      const server = await startWinRmServer({ users: USERS, handler: hostHandler(site, 'srv-1') });
      try {
        const guard = createLockoutGuard({ store, nowT: () => 1_780_315_200 });
        const deps = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
        const runner = winRmRunner({ open: openWinRmSession, guard, ...deps });
        const wrong = winTarget(server.port, 'wrong');
        await expectCodeAsync(runner.run(wrong, run('detect'), never), 'winrm_logon_failed');
        const { refusedLogons, connections } = server;
        expect(refusedLogons).toBe(1);
        await expectCodeAsync(runner.run(wrong, run('detect'), never), 'credential_stopped');
        await expectCodeAsync(runner.run({ ...wrong, id: 'srv-2' }, run('detect'), never), 'credential_stopped');
        expect(server).toMatchObject({ refusedLogons, connections });
        const right = { ...winTarget(server.port), credentialVersion: 2 };
        expect(await runner.run(right, run('detect'), never)).toMatchObject({ exitCode: 0 });
        expect(site.runs).toHaveLength(1);
      } finally {
        await server.close();
      }
    }));

  it('opens a connection of its own for each run, so that a verify never rides on the one that changed something', async () => {
    const { runner, target, server, close } = await overWinRm(drifted());
    try {
      await runner.run(target, run('remediate'), never);
      const before = server?.connections ?? 0;
      await runner.run(target, run('verify'), never);
      expect(server?.connections).toBeGreaterThan(before);
    } finally {
      await close();
    }
  });
});
