import { describe, expect, it } from 'vitest';
import type { RunRequest } from '../../../agent/execution/run-request.ts';
import { actionsLine, factsLine, SIMULATED_SID, type SimulatedMachine } from '../../lab/simulated-site.ts';
import { verdictOn, withDir } from '../../support/evidence-fixtures.ts';
import { executorLab, type ExecutorLab } from '../../support/executor-lab.ts';
import { drifted, loadedRunbook, machine, testTarget } from '../../support/runbook-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

async function on(srv: SimulatedMachine, fn: (lab: ExecutorLab) => Promise<void>): Promise<void> {
  await withDir(async (dir) => {
    const lab = executorLab(dir, { 'srv-1': srv });
    try {
      await fn(lab);
    } finally {
      lab.store.close();
    }
  });
}

const disruptive = (changes: Readonly<Record<string, unknown>> = {}) =>
  loadedRunbook({ disruptive: true, window: 'maintenance', ...changes });

describe('a runbook on a machine that drifted', () => {
  it('heals it: detect, plan, intent, remediate, a separate verify, result; a second run changes nothing', () =>
    on(drifted(), async (lab) => {
      lab.site.onRun = (_target, phase) => {
        // The intent is on the disk before anything is changed.
        if (phase === 'remediate') expect(lab.actions().map((entry) => entry.phase)).toEqual(['intent']);
      };
      const link = { order_digest: 'ab'.repeat(32), authorisation_digest: 'cd'.repeat(32) };
      expect(await lab.run({ link })).toMatchObject({ outcome: 'success', code: null, changes: 2 });
      expect(lab.phases()).toEqual(['detect', 'plan', 'remediate', 'verify']);
      expect(lab.findings.map(({ result }) => result)).toEqual(['fail', 'pass']);
      const [intent, result] = lab.actions();
      expect(intent).toMatchObject({ phase: 'intent', ...link, pre_state: { guard_on: false, level: 1 } });
      expect(intent?.actions).toEqual(['would change guard_on from false to true', 'would change level from 1 to 5']);
      expect(result).toMatchObject({
        phase: 'result',
        ...link,
        outcome: 'success',
        rollback_available: true,
        plan_digest: intent?.plan_digest,
        post_state: { guard_on: true, level: 5, used_cpu_ms: 200 },
        actions: ['changed guard_on from false to true', 'changed level from 1 to 5'],
      });
      lab.circumstances = { ...lab.circumstances, nowT: NOW + 3_600 };
      expect(await lab.run()).toMatchObject({ outcome: 'success', changes: 0 });
      expect(lab.phases().slice(4)).toEqual(['detect', 'verify']);
      expect(verdictOn(lab.store).ok).toBe(true);
    }));

  it('is left alone where healing was paused since it was ordered, and still goes back by order', () =>
    on(drifted(), async (lab) => {
      const before = structuredClone(lab.site.machines['srv-1']?.settings);
      lab.circumstances = { ...lab.circumstances, healingPaused: true };
      expect(await lab.run()).toMatchObject({ outcome: 'deferred', code: 'order_healing_paused' });
      expect([lab.site.machines['srv-1']?.settings, lab.store.runs.list(9)]).toEqual([before, []]);
      lab.circumstances = { ...lab.circumstances, healingPaused: false };
      expect(await lab.run()).toMatchObject({ outcome: 'success' });
      lab.circumstances = { ...lab.circumstances, healingPaused: true };
      expect(await lab.run({ action: 'rollback' })).toMatchObject({ outcome: 'success' });
    }));

  it('is left alone by a dry run, whose outcome is dry_run and whose plan is in the entry', () =>
    on(drifted(), async (lab) => {
      lab.circumstances = { ...lab.circumstances, windowOpen: false };
      expect(await lab.run({ dryRun: true, loaded: disruptive() })).toMatchObject({ outcome: 'rejected' });
      lab.circumstances = { ...lab.circumstances, listedClass: 'disruptive' };
      const before = structuredClone(lab.site.machines['srv-1']?.settings);
      expect(await lab.run({ dryRun: true, loaded: disruptive() })).toMatchObject({ outcome: 'dry_run', changes: 2 });
      expect(lab.site.machines['srv-1']?.settings).toEqual(before);
      expect(lab.phases()).toEqual(['detect', 'plan']);
      expect(lab.actions()).toMatchObject([{ phase: 'result', outcome: 'dry_run', code: 'runbook_dry_run' }]);
      expect(lab.store.runs.list(9)).toEqual([]);
    }));

  it('is as it was before where verify does not confirm the change, and the outcome is reverted', () =>
    on(
      drifted({
        answers: {
          verify: () =>
            factsLine({ host: { role: 'member_server', build: 20_348 }, guard_on: false, level: 5, maintained: false }),
        },
      }),
      async (lab) => {
        expect(await lab.run()).toMatchObject({ outcome: 'reverted', code: 'runbook_reverted' });
        expect(lab.site.machines['srv-1']?.settings).toEqual({ guard_on: false, level: 1, maintained: false });
        expect(lab.phases().slice(-2)).toEqual(['rollback', 'detect']);
        expect(lab.phases().filter((phase) => phase === 'verify').length).toBeGreaterThan(2);
        expect(lab.actions().at(-1)).toMatchObject({ outcome: 'reverted', post_state: { guard_on: false, level: 1 } });
      },
    ));

  it.each(
    (
      [
        [
          'a way back that changes nothing',
          drifted({
            answers: {
              verify: () => factsLine({ host: {}, odd: 1 }),
              rollback: () => actionsLine('changed', [{ what: 'level', from: 5, to: 1 }]),
            },
          }),
          'failed',
          'runbook_rollback_failed',
        ],
        ['a way back that fails', drifted({ denied: ['verify', 'rollback'] }), 'failed', 'runbook_rollback_failed'],
        ['a remediate that is denied', drifted({ denied: ['remediate'] }), 'reverted', 'runbook_reverted'],
        ['a policy that reverts at once', drifted({ reverts: true }), 'reverted', 'runbook_reverted'],
        ['a plan that cannot be made', drifted({ denied: ['plan'] }), 'failed', 'runbook_plan_failed'],
        [
          'a policy that the plan recognises',
          drifted({ answers: { plan: () => actionsLine('managed_elsewhere') } }),
          'alert',
          'runbook_managed_elsewhere',
        ],
        [
          'a policy that remediate recognises',
          drifted({ answers: { remediate: () => actionsLine('managed_elsewhere') } }),
          'alert',
          'runbook_managed_elsewhere',
        ],
        [
          'something started that has not ended',
          drifted({ answers: { remediate: () => actionsLine('started') } }),
          'deferred',
          'runbook_started',
        ],
        ['a drift that the runbook does not mend', drifted({ wanted: {} }), 'alert', 'runbook_nothing_to_change'],
        ['a detect that fails', drifted({ denied: ['detect'] }), 'failed', 'runbook_detect_unknown'],
        ['a machine that is away', drifted({ fails: 'winrm_unreachable' }), 'failed', 'runbook_detect_unknown'],
        [
          'a precondition that does not hold',
          drifted({ settings: { guard_on: false, level: 1, maintained: true } }),
          'alert',
          'runbook_precondition',
        ],
        ['a machine of another role', drifted({ role: 'workstation' }), 'rejected', 'runbook_not_applicable'],
        ['an older build', drifted({ build: 9_600 }), 'rejected', 'runbook_not_applicable'],
      ] as readonly [string, SimulatedMachine, string, string][]
    ).map(([name, srv, outcome, code]) => ({ name, srv, outcome, code })),
  )('$name ends as $outcome ($code), never as success', ({ srv, outcome, code }) =>
    on(srv, async (lab) => {
      expect(await lab.run()).toMatchObject({ outcome, code });
      expect(lab.actions().at(-1)).toMatchObject({ phase: 'result', outcome, code });
      expect(lab.store.runs.list(9).filter((row) => row.state !== 'ended')).toEqual([]);
      expect(verdictOn(lab.store).ok).toBe(true);
    }),
  );

  it('is left as it is, and not called healed, where verify does not confirm the change and there is no way back', () =>
    on(drifted({ reverts: true }), async (lab) => {
      const loaded = loadedRunbook({ rollback: { how: 'none', reason: 'the change cannot be undone' } });
      expect(await lab.run({ loaded })).toMatchObject({ outcome: 'failed', code: 'runbook_not_verified', changes: 2 });
      expect(lab.phases()).not.toContain('rollback');
    }));

  it('that is as declared is no success where the second look does not see that', () =>
    on(
      machine({
        answers: { verify: () => factsLine({ host: { role: 'member_server', build: 20_348 }, guard_on: false }) },
      }),
      async (lab) => {
        expect(await lab.run()).toMatchObject({ outcome: 'failed', code: 'runbook_not_verified', changes: 0 });
        expect(lab.phases()).toEqual(['detect', 'verify']);
      },
    ));

  it('whose script ended badly is no success although verify passes, and nothing is undone', () =>
    on(drifted(), async (lab) => {
      const srv = lab.site.machines['srv-1']!;
      srv.answers = {
        remediate: () => {
          srv.settings = { guard_on: true, level: 5, maintained: false };
          return { exitCode: 1 };
        },
      };
      expect(await lab.run()).toMatchObject({ outcome: 'failed', code: 'runbook_remediate_failed' });
      expect(lab.phases()).not.toContain('rollback');
      expect(srv.settings['guard_on']).toBe(true);
    }));

  it('has to stay healed for as long as the runbook says', () =>
    on(drifted(), async (lab) => {
      let looks = 0;
      const good = { host: { role: 'member_server', build: 20_348 }, guard_on: true, level: 5, maintained: false };
      lab.site.machines['srv-1']!.answers = { verify: () => factsLine(looks++ === 0 ? good : { ...good, level: 0 }) };
      const loaded = loadedRunbook({ verify: { by: 'script', within_s: 60, stable_for_s: 120 } });
      expect(await lab.run({ loaded })).toMatchObject({ outcome: 'reverted' });
      expect(looks).toBe(2);
    }));

  it('confirms a change that undoes itself, after the first look that passes and before the last', () =>
    on(drifted(), async (lab) => {
      const loaded = loadedRunbook({
        remediate: { by: 'script', confirm_within_s: 120 },
        verify: { by: 'script', within_s: 60, stable_for_s: 60 },
      });
      expect(await lab.run({ loaded })).toMatchObject({ outcome: 'success' });
      expect(lab.phases()).toEqual(['detect', 'plan', 'remediate', 'verify', 'confirm', 'verify']);
    }));

  it('is only told of where the runbook remediates nothing', () =>
    on(drifted(), async (lab) => {
      const loaded = loadedRunbook({
        remediate: { by: 'none', reason: 'a person decides' },
        rollback: { how: 'none', reason: 'nothing is changed' },
        changes: [],
        dry_run: 'none',
      });
      expect(await lab.run({ loaded })).toMatchObject({ outcome: 'alert', code: 'runbook_alert_only' });
      expect(lab.phases()).toEqual(['detect']);
    }));
});

describe('before a runbook changes anything', () => {
  it.each<[string, (lab: ExecutorLab) => Partial<RunRequest>, string, string]>([
    [
      'not in the content list',
      (lab) => {
        lab.circumstances = { ...lab.circumstances, listedClass: null };
        return {};
      },
      'rejected',
      'runbook_unknown',
    ],
    ['listed with a lower class than it has', () => ({ loaded: disruptive() }), 'rejected', 'runbook_class_differs'],
    [
      'disruptive outside the window',
      (lab) => {
        lab.circumstances = { ...lab.circumstances, listedClass: 'disruptive', windowOpen: false };
        return { loaded: disruptive() };
      },
      'deferred',
      'runbook_window_closed',
    ],
    [
      'disruptive with an unsound clock, window overridden',
      (lab) => {
        lab.circumstances = { ...lab.circumstances, listedClass: 'disruptive', clockSound: false };
        return { loaded: disruptive(), windowOverridden: true };
      },
      'deferred',
      'runbook_clock_unsound',
    ],
    [
      'without signed time',
      (lab) => {
        lab.circumstances = { ...lab.circumstances, nowT: null };
        return {};
      },
      'deferred',
      'order_time_unknown',
    ],
    ['on a target without credentials', () => ({ targetId: 'srv-9' }), 'failed', 'target_not_held'],
    [
      'on a machine that is known by another identity',
      () => ({ pinnedIdentity: `spki:${'ef'.repeat(32)}` }),
      'rejected',
      'target_identity_differs',
    ],
    [
      'while another change is under way at the site',
      (lab) => {
        lab.deps.locks.tryChange();
        return {};
      },
      'deferred',
      'target_busy',
    ],
  ])('it is stopped: %s', (_name, arrange, outcome, code) =>
    on(drifted(), async (lab) => {
      const before = structuredClone(lab.site.machines['srv-1']?.settings);
      expect(await lab.run(arrange(lab))).toMatchObject({ outcome, code });
      expect(lab.site.machines['srv-1']?.settings).toEqual(before);
      expect(lab.phases()).not.toContain('remediate');
      expect(lab.store.runs.list(9)).toEqual([]);
    }),
  );

  it('the same machine has its cool-down, and six changes a day are the most', () =>
    on(drifted(), async (lab) => {
      const again = async (at: number) => {
        lab.circumstances = { ...lab.circumstances, nowT: NOW + at };
        lab.site.machines['srv-1']!.settings['guard_on'] = false;
        return (await lab.run()).code;
      };
      expect(await again(0)).toBeNull();
      expect(await again(299)).toBe('runbook_cooling_down');
      for (let n = 1; n < 6; n++) expect(await again(n * 300)).toBeNull();
      expect(await again(6 * 300)).toBe('runbook_runs_used');
      expect(await again(86_401)).toBeNull();
    }));

  it('a machine that is known by its identity is taken as such', () =>
    withDir(async (dir) => {
      const sid = { identity: { machine_sid: SIMULATED_SID } };
      const lab = executorLab(dir, { 'srv-1': drifted() }, { targets: [testTarget('srv-1', sid)] });
      try {
        expect(await lab.run({ pinnedIdentity: SIMULATED_SID })).toMatchObject({ outcome: 'success' });
      } finally {
        lab.store.close();
      }
    }));
});

describe('an ordered way back', () => {
  it('undoes the newest change from what was seen before it, and is success only where that is seen again', () =>
    on(drifted(), async (lab) => {
      await lab.run();
      lab.circumstances = { ...lab.circumstances, nowT: NOW + 60 };
      expect(await lab.run({ action: 'rollback', dryRun: true })).toMatchObject({ outcome: 'dry_run' });
      expect(await lab.run({ action: 'rollback' })).toMatchObject({ outcome: 'success', changes: 2 });
      expect(lab.site.machines['srv-1']?.settings).toEqual({ guard_on: false, level: 1, maintained: false });
      // What was undone is not undone twice.
      expect(await lab.run({ action: 'rollback' })).toMatchObject({ outcome: 'rejected' });
    }));

  it('has failed where the machine is not seen as it was', () =>
    on(drifted(), async (lab) => {
      await lab.run();
      lab.site.machines['srv-1']!.reverts = true;
      expect(await lab.run({ action: 'rollback' })).toMatchObject({
        outcome: 'failed',
        code: 'runbook_rollback_failed',
      });
    }));
});

it('a detect alone changes nothing and is a finding', () =>
  on(machine(), async (lab) => {
    expect(await lab.run({ action: 'detect' })).toMatchObject({ outcome: 'success' });
    expect(lab.phases()).toEqual(['detect']);
    expect(lab.findings).toMatchObject([
      {
        result: 'pass',
        target: { id: 'srv-1', role: 'member-server', os_build: '10.0.20348' },
        baseline: { id: 'RB-WIN-TEST-001' },
        controls: [{ cite: '164.308(a)(5)(ii)(B)' }, { cite: '164.312(b)' }],
        facts: { guard_on: true, level: 5, used_cpu_ms: 40 },
      },
    ]);
  }));
