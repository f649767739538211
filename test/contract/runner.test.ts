import { afterAll, describe, expect, it } from 'vitest';
import { createLockoutGuard } from '../../agent/targets/lockout-guard.ts';
import type { Runner, RunOutput, ScriptRun } from '../../agent/execution/runner.ts';
import { winRmRunner, type WinRmRunnerDeps } from '../../agent/execution/winrm-runner.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { createIds } from '../../agent/system/ids.ts';
import type { Target } from '../../agent/targets/target.ts';
import { openWinRmSession } from '../../agent/winrm/open-session.ts';
import { simulatedSite, type SimulatedMachine, type SimulatedSite } from '../lab/simulated-site.ts';
import { hostHandler } from '../lab/windows-host.ts';
import { startWinRmServer, type WinRmServer, type WinRmServerOptions } from '../lab/winrm-server/start-winrm-server.ts';
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

async function overWinRm(
  one: SimulatedMachine,
  guard: WinRmRunnerDeps['guard'] = { begin: () => ({ may: 'try' }), end: () => undefined },
  mishap: WinRmServerOptions['mishap'] = () => null,
): Promise<Place> {
  const site = simulatedSite({ 'srv-1': one });
  const server = await startWinRmServer({ users: USERS, handler: hostHandler(site, 'srv-1'), mishap });
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
  cpuMs: 60_000,
  timeoutMs: 60_000,
  outputCapBytes: 65_536,
  ...o,
});
const never = new AbortController().signal;

/** One script in a session of its own. */
async function runOn(runner: Runner, target: Target, one: ScriptRun, signal: AbortSignal): Promise<RunOutput> {
  const session = runner.open(target);
  try {
    return await session.run(one, signal);
  } finally {
    await session.close();
  }
}

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
    const output: RunOutput = await runOn(runner, target, run('detect'), never);
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
      const { stdout } = await runOn(runner, target, run('remediate'), never);
      return (JSON.parse(stdout.toString()) as { facts: { changes: unknown } }).facts.changes;
    };
    expect(await changes()).toHaveLength(2);
    expect(await changes()).toEqual([]);
  });

  it('runs one script after the other in a session, whatever becomes of one, until it is closed', async () => {
    const { runner, target, site, server } = await place(machine({ denied: ['plan'], hangs: ['confirm'] }));
    const session = runner.open(target);
    expect(await session.run(run('detect'), never)).toMatchObject({ exitCode: 0 });
    expect(await session.run(run('plan'), never)).toMatchObject({ exitCode: 1 });
    await expectCodeAsync(session.run(run('confirm', { timeoutMs: 500 }), never), 'runner_timeout');
    expect(await session.run(run('verify'), never)).toMatchObject({ exitCode: 0 });
    expect(site.runs.map(({ phase }) => phase)).toEqual(['detect', 'plan', 'confirm', 'verify']);
    await session.close();
    if (server !== null) expect(server.liveShells).toBe(0);
  });

  it('cuts off what is printed beyond the cap, and says so', async () => {
    const { runner, target } = await place(machine({ answers: { detect: () => 'x'.repeat(300_000) } }));
    const { stdout, truncated } = await runOn(runner, target, run('detect', { outputCapBytes: 10_000 }), never);
    expect(truncated).toBe(true);
    expect(stdout.length).toBeLessThanOrEqual(10_000);
  });

  it('gives up what does not end, with runner_timeout, and leaves nothing behind', async () => {
    const { runner, target, server } = await place(machine({ hangs: ['detect'] }));
    await expectCodeAsync(runOn(runner, target, run('detect', { timeoutMs: 1_500 }), never), 'runner_timeout');
    if (server !== null) await until('the shell is gone', () => server.liveShells === 0 || null, 20_000);
  });

  it("ends with the caller's reason when the caller gives up", async () => {
    const { runner, target, site, server } = await place(machine({ hangs: ['detect'] }));
    const controller = new AbortController();
    const running = runOn(runner, target, run('detect'), controller.signal);
    await until('the script runs', () => site.runs.length > 0 || null, 20_000);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    if (server !== null) await until('the shell is gone', () => server.liveShells === 0 || null, 20_000);
  });
});

describe('the runner on WinRM', () => {
  it('waits where another target tries a new secret first, then logs on: nobody is unknown for that', () =>
    withLog(async ({ store }) => {
      const site = simulatedSite({ 'srv-1': machine() });
      const server = await startWinRmServer({ users: USERS, handler: hostHandler(site, 'srv-1') });
      try {
        const guard = createLockoutGuard({ store, nowT: () => 1_780_315_200 });
        const deps = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
        const runner = winRmRunner({ open: openWinRmSession, guard, ...deps });
        const targets = ['srv-1', 'srv-2', 'srv-3', 'srv-4'].map((id) => ({ ...winTarget(server.port), id }));
        const outputs = await Promise.all(targets.map((target) => runOn(runner, target, run('detect'), never)));
        expect(outputs.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
        expect(server).toMatchObject({ logons: 4, refusedLogons: 0, liveShells: 0 });
      } finally {
        await server.close();
      }
    }));

  it('tries a wrong password once also where four targets begin at once: those that waited send nothing', () =>
    withLog(async ({ store }) => {
      const site = simulatedSite({ 'srv-1': machine() });
      const server = await startWinRmServer({ users: USERS, handler: hostHandler(site, 'srv-1') });
      try {
        const guard = createLockoutGuard({ store, nowT: () => 1_780_315_200 });
        const deps = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
        const runner = winRmRunner({ open: openWinRmSession, guard, ...deps });
        const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];
        const ended = addresses.map((address, n) =>
          runOn(runner, { ...winTarget(server.port, 'wrong'), address, id: `srv-${n}` }, run('detect'), never),
        );
        const codes = await Promise.all(
          ended.map((one) => one.then(() => null).catch((error: unknown) => (error as { code: string }).code)),
        );
        expect(codes.toSorted()).toEqual([...Array(3).fill('credential_stopped'), 'winrm_logon_failed']);
        expect(server).toMatchObject({ logons: 0, refusedLogons: 1 });
      } finally {
        await server.close();
      }
    }));

  it('runs what a session is asked over one logon and one shell, and leaves none', async () => {
    const told: (string | null)[] = [];
    let asked = 0;
    const guard = {
      begin: () => {
        asked += 1;
        return { may: 'try' } as const;
      },
      end: (_: unknown, code: string | null) => void told.push(code),
    };
    const { runner, target, server, close } = await overWinRm(drifted(), guard);
    try {
      const session = runner.open(target);
      expect(asked).toBe(0);
      for (const phase of ['detect', 'plan', 'remediate', 'detect']) await session.run(run(phase), never);
      expect(server).toMatchObject({ logons: 1, connections: 1, liveShells: 1, operations: { Create: 1, Command: 4 } });
      expect([asked, told]).toEqual([1, [null]]);
      await session.close();
      await session.close();
      expect(server).toMatchObject({ liveShells: 0, logons: 1 });
    } finally {
      await close();
    }
  });

  it('makes a session anew that died, asks the guard for that logon too, and runs what only reads', async () => {
    const told: (string | null)[] = [];
    const guard = {
      begin: () => ({ may: 'try' }) as const,
      end: (_: unknown, code: string | null) => void told.push(code),
    };
    const { runner, target, server, site, close } = await overWinRm(machine(), guard);
    try {
      const session = runner.open(target);
      await session.run(run('detect'), never);
      server?.dropShells();
      server?.reset();
      expect(await session.run(run('plan', { rerunnable: true }), never)).toMatchObject({ exitCode: 0 });
      site.onRun = () => {
        server?.dropShells();
        server?.reset();
        delete site.onRun;
      };
      expect(await session.run(run('detect', { rerunnable: true }), never)).toMatchObject({ exitCode: 0 });
      expect(site.runs.map(({ phase }) => phase)).toEqual(['detect', 'plan', 'detect', 'detect']);
      expect(server?.logons).toBe(told.length);
      expect(new Set(told)).toEqual(new Set([null]));
      await session.close();
      expect(server?.liveShells).toBe(0);
    } finally {
      await close();
    }
  });

  it('does not run again what changes something when its session dies under it', async () => {
    const { runner, target, server, site, close } = await overWinRm(drifted());
    try {
      const session = runner.open(target);
      site.onRun = () => {
        server?.dropShells();
        server?.reset();
      };
      await expectCodeAsync(session.run(run('remediate'), never), 'winrm_shell_gone');
      expect(site.runs).toHaveLength(1);
      await session.close();
      expect(server?.liveShells).toBe(0);
    } finally {
      await close();
    }
  });

  it('tells the guard of a secret that is refused after the logon, and sends nothing more in that session', async () => {
    const told: (string | null)[] = [];
    const guard = {
      begin: () => ({ may: 'try' }) as const,
      end: (_: unknown, code: string | null) => void told.push(code),
    };
    const locked = { code: 1_909, subcode: 'AccessDenied' };
    let isLocked = false;
    const { runner, target, server, site, close } = await overWinRm(machine(), guard, (operation) =>
      isLocked && operation === 'Command' ? { kind: 'fault', fault: locked } : null,
    );
    try {
      const session = runner.open(target);
      await session.run(run('detect'), never);
      isLocked = true;
      await expectCodeAsync(session.run(run('detect', { rerunnable: true }), never), 'winrm_account_locked');
      const { operations } = server!;
      const before = { ...operations };
      await expectCodeAsync(session.run(run('detect', { rerunnable: true }), never), 'winrm_account_locked');
      expect(operations).toEqual(before);
      expect(told).toEqual([null, 'winrm_account_locked']);
      expect(site.runs).toHaveLength(1);
      await session.close();
      expect(server?.liveShells).toBe(0);
    } finally {
      await close();
    }
  });

  it('has two sessions at one host and no more: the third waits until one is closed, or its time is over', async () => {
    const { runner, target, server, close } = await overWinRm(machine());
    try {
      const [first, second, third, fourth] = [1, 2, 3, 4].map((n) => runner.open({ ...target, id: `srv-${n}` }));
      await Promise.all([first!.run(run('detect'), never), second!.run(run('detect'), never)]);
      expect(server).toMatchObject({ logons: 2, liveShells: 2 });
      await expectCodeAsync(third!.run(run('detect', { timeoutMs: 300 }), never), 'runner_timeout');
      const controller = new AbortController();
      const givenUp = third!.run(run('detect'), controller.signal);
      const waiting = fourth!.run(run('detect'), never);
      const reason = new Error('enough');
      controller.abort(reason);
      await expect(givenUp).rejects.toBe(reason);
      expect(server).toMatchObject({ logons: 2, liveShells: 2 });
      await first!.close();
      // The machine of that name is not simulated; that it was asked is what counts.
      await waiting;
      expect(server).toMatchObject({ logons: 3, liveShells: 2 });
      for (const session of [second, third, fourth]) await session!.close();
      expect(server?.liveShells).toBe(0);
    } finally {
      await close();
    }
  });

  it('tries a wrong password once: the guard holds it back on every target until the secret changes', () =>
    withLog(async ({ store }) => {
      const site = simulatedSite({ 'srv-1': machine() });
      const server = await startWinRmServer({ users: USERS, handler: hostHandler(site, 'srv-1') });
      try {
        const guard = createLockoutGuard({ store, nowT: () => 1_780_315_200 });
        const deps = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
        const runner = winRmRunner({ open: openWinRmSession, guard, ...deps });
        const wrong = winTarget(server.port, 'wrong');
        await expectCodeAsync(runOn(runner, wrong, run('detect'), never), 'winrm_logon_failed');
        const { refusedLogons, connections } = server;
        expect(refusedLogons).toBe(1);
        await expectCodeAsync(runOn(runner, wrong, run('detect'), never), 'credential_stopped');
        await expectCodeAsync(runOn(runner, { ...wrong, id: 'srv-2' }, run('detect'), never), 'credential_stopped');
        expect(server).toMatchObject({ refusedLogons, connections });
        const right = { ...winTarget(server.port), credentialVersion: 2 };
        expect(await runOn(runner, right, run('detect'), never)).toMatchObject({ exitCode: 0 });
        expect(site.runs).toHaveLength(1);
      } finally {
        await server.close();
      }
    }));

  it('opens a connection of its own for each run, so that a verify never rides on the one that changed something', async () => {
    const { runner, target, server, close } = await overWinRm(drifted());
    try {
      await runOn(runner, target, run('remediate'), never);
      const before = server?.connections ?? 0;
      await runOn(runner, target, run('verify'), never);
      expect(server?.connections).toBeGreaterThan(before);
    } finally {
      await close();
    }
  });
});
