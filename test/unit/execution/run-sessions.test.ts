import { describe, expect, it } from 'vitest';
import { createHostSessions } from '../../../agent/execution/host-sessions.ts';
import { lookAround, type TargetRound } from '../../../agent/execution/look-around.ts';
import { identifyingRunner } from '../../../agent/execution/identifying-runner.ts';
import { createKnownMachines } from '../../../agent/execution/known-machines.ts';
import { runRunbook } from '../../../agent/execution/run-runbook.ts';
import { defaultParams } from '../../../agent/execution/runbook.ts';
import type { Runner } from '../../../agent/execution/runner.ts';
import { winRmRunner } from '../../../agent/execution/winrm-runner.ts';
import { systemClock } from '../../../agent/system/clock.ts';
import { createIds } from '../../../agent/system/ids.ts';
import { openWinRmSession } from '../../../agent/winrm/open-session.ts';
import type { SimulatedMachine } from '../../lab/simulated-site.ts';
import { hostHandler } from '../../lab/windows-host.ts';
import { startWinRmServer, type WinRmServer } from '../../lab/winrm-server/start-winrm-server.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { executorLab, type ExecutorLab } from '../../support/executor-lab.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { drifted, loadedRunbook, machine, TEST_CHECK, testTarget } from '../../support/runbook-fixtures.ts';

const never = new AbortController().signal;

const withLab = (machines: Record<string, SimulatedMachine>, use: (lab: ExecutorLab) => Promise<void>): Promise<void> =>
  withDir(async (dir) => {
    const lab = executorLab(dir, machines);
    try {
      await use(lab);
    } finally {
      lab.store.close();
    }
  });
const phasesOf = ({ site }: ExecutorLab) => site.sessions.map(({ phases }) => phases);
const allClosed = ({ site }: ExecutorLab) => site.sessions.every(({ closed }) => closed);

describe('the sessions of one run', () => {
  it('are one up to the change, then one of its own for each verify and for confirm, and all are closed', () =>
    withLab({ 'srv-1': drifted() }, async (lab) => {
      const loaded = loadedRunbook({
        remediate: { by: 'script', confirm_within_s: 120 },
        verify: { by: 'script', within_s: 60, stable_for_s: 30 },
      });
      expect(await lab.run({ loaded })).toMatchObject({ outcome: 'success' });
      expect(phasesOf(lab)).toEqual([['detect', 'plan', 'remediate'], ['verify'], ['confirm'], ['verify']]);
      expect(allClosed(lab)).toBe(true);
    }));

  it('are a new one for what undoes a change, so that a connection which the change broke does not hold it up', () =>
    withLab({ 'srv-1': drifted({ answers: { verify: () => 'nothing' } }) }, async (lab) => {
      const loaded = loadedRunbook({ verify: { by: 'script', within_s: 1, stable_for_s: 0 } });
      expect(await lab.run({ loaded })).toMatchObject({ outcome: 'reverted' });
      expect(phasesOf(lab)).toEqual([['detect', 'plan', 'remediate'], ['verify'], ['rollback', 'detect']]);
      expect(allClosed(lab)).toBe(true);
    }));

  it('are closed before a verify begins: the one that changed something cannot carry it', () =>
    withLab({ 'srv-1': drifted() }, async (lab) => {
      const open: number[] = [];
      lab.site.onRun = (_, phase) => {
        if (phase === 'verify') open.push(lab.site.sessions.filter(({ closed }) => !closed).length);
      };
      await lab.run();
      expect(open).toEqual([1]);
    }));

  it.each(['detect', 'plan', 'remediate', 'verify'] as const)('are closed where the run is given up in %s', (at) =>
    withLab({ 'srv-1': drifted() }, async (lab) => {
      const controller = new AbortController();
      const reason = new Error('the daemon stops');
      lab.site.onRun = (_, phase) => {
        if (phase === at) controller.abort(reason);
      };
      await expect(lab.run({}, controller.signal)).rejects.toBe(reason);
      expect(lab.site.sessions.length).toBeGreaterThan(0);
      expect(allClosed(lab)).toBe(true);
    }),
  );
});

describe('the sessions of a round of looks', () => {
  const books = [1, 2, 3].map((version) => ({ loaded: loadedRunbook({ version }), check: TEST_CHECK }));
  const roundOf = (id: string): TargetRound => ({ target: { id, role: 'member-server' }, books });
  const around = (lab: ExecutorLab, ids: readonly string[], signal = never) =>
    lookAround(ids.map(roundOf), { ...lab.deps, onTarget: () => undefined }, signal);

  it('are one for all checks of a target', () =>
    withLab({ 'srv-1': machine(), 'srv-2': drifted() }, async (lab) => {
      await around(lab, ['srv-1', 'srv-2']);
      expect(phasesOf(lab)).toEqual([
        ['detect', 'detect', 'detect'],
        ['detect', 'detect', 'detect'],
      ]);
      expect(allClosed(lab)).toBe(true);
      expect(['srv-1', 'srv-2'].filter((id) => lab.deps.locks.isBusy(id))).toEqual([]);
    }));

  it('let whoever waits for the target in between two looks, and have no session open meanwhile', () =>
    withLab({ 'srv-1': machine() }, async (lab) => {
      let waiting: Promise<readonly boolean[]> | undefined;
      lab.site.onRun = () => {
        waiting ??= lab.deps.locks.hold('srv-1', never).then((release) => {
          const closed = lab.site.sessions.map((session) => session.closed);
          release();
          return closed;
        });
      };
      await around(lab, ['srv-1']);
      expect(await waiting).toEqual([true]);
      expect(phasesOf(lab)).toEqual([['detect'], ['detect', 'detect']]);
      expect(allClosed(lab)).toBe(true);
    }));

  it('are closed, and the target is let go of, where the round is given up', () =>
    withLab({ 'srv-1': machine({ hangs: ['detect'] }) }, async (lab) => {
      const controller = new AbortController();
      const reason = new Error('the daemon stops');
      lab.site.onRun = () => controller.abort(reason);
      await expect(around(lab, ['srv-1'], controller.signal)).rejects.toBe(reason);
      expect(allClosed(lab)).toBe(true);
      expect(lab.deps.locks.isBusy('srv-1')).toBe(false);
    }));

  it('end with the target: one that is handed out no more between two looks is not asked again', () =>
    withLab({ 'srv-1': machine() }, async (lab) => {
      let isIn = true;
      const lease = lab.deps.targets.lease.bind(lab.deps.targets);
      lab.site.onRun = () => {
        isIn = false;
      };
      const seen: string[] = [];
      const targets = { lease: (id: string) => (isIn ? lease(id) : null) };
      const onTarget = (_: string, __: unknown, findings: readonly { readonly result: string }[]) =>
        seen.push(...findings.map(({ result }) => result));
      await lookAround([roundOf('srv-1')], { ...lab.deps, targets, onTarget }, never);
      expect(seen).toEqual(['pass', 'unknown', 'unknown']);
      expect(phasesOf(lab)).toEqual([['detect']]);
      expect(allClosed(lab)).toBe(true);
    }));
});

describe('sessions over WinRM', () => {
  const PASSWORD = 'Grüße-2026!';
  const overWinRm = async (
    lab: ExecutorLab,
    use: (server: WinRmServer, deps: ExecutorLab['deps']) => Promise<void>,
  ) => {
    const users = [{ user: 'agent', domain: 'CLINIC', password: PASSWORD }];
    const server = await startWinRmServer({ users, handler: hostHandler(lab.site, 'srv-1') });
    const guard = { begin: () => ({ may: 'try' }) as const, end: () => undefined };
    const system = { clock: systemClock, ids: createIds(systemClock), log: memoryLog() };
    const bare = winRmRunner({ open: openWinRmSession, guard, ...system });
    const runner: Runner = identifyingRunner(bare, createKnownMachines({ ...system, store: lab.store }));
    const at = { hostname: 'srv-1.clinic.example', address: '127.0.0.1', port: server.port, scheme: 'http' } as const;
    const target = testTarget('srv-1', { ...at, domain: 'CLINIC', secret: Buffer.from(PASSWORD) });
    try {
      await use(server, { ...lab.deps, runner, targets: { lease: () => ({ target, release: () => undefined }) } });
    } finally {
      await server.close();
    }
  };

  it('heal a machine with two logons and look three times with one, and leave no shell', () =>
    withLab({ 'srv-1': drifted() }, (lab) =>
      overWinRm(lab, async (server, deps) => {
        const loaded = loadedRunbook();
        const request = {
          loaded,
          check: TEST_CHECK,
          targetId: 'srv-1',
          action: 'remediate',
          dryRun: false,
          params: defaultParams(loaded.runbook),
          pinnedIdentity: null,
          windowOverridden: false,
          link: {},
        } as const;
        expect(await runRunbook(request, deps, never)).toMatchObject({ outcome: 'success', changes: 2 });
        expect(lab.phases()).toEqual(['detect', 'plan', 'remediate', 'verify']);
        expect(server).toMatchObject({
          logons: 2,
          connections: 2,
          liveShells: 0,
          operations: { Create: 2, Delete: 2 },
        });
        const books = [1, 2, 3].map((version) => ({ loaded: loadedRunbook({ version }), check: TEST_CHECK }));
        const round = { target: { id: 'srv-1', role: 'member-server' }, books };
        await lookAround([round], { ...deps, onTarget: () => undefined }, never);
        expect(server).toMatchObject({
          logons: 3,
          connections: 3,
          liveShells: 0,
          operations: { Create: 3, Delete: 3 },
        });
      }),
    ));
});

describe('the places that a host has for sessions', () => {
  it('are given in the order in which they were asked for, and to nobody who has gone', async () => {
    const hosts = createHostSessions(1);
    const order: string[] = [];
    const first = await hosts.take('192.0.2.1', never);
    const controller = new AbortController();
    const gone = hosts.take('192.0.2.1', controller.signal);
    const second = hosts.take('192.0.2.1', never).then((give) => (order.push('second'), give));
    const third = hosts.take('192.0.2.1', never).then((give) => (order.push('third'), give));
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(gone).rejects.toBe(reason);
    (await hosts.take('192.0.2.2', never))();
    first();
    first();
    (await second)();
    (await third)();
    expect(order).toEqual(['second', 'third']);
    (await hosts.take('192.0.2.1', never))();
  });
});
