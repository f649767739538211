// Which machine a target is: met, pinned, and nobody else from then on. Each test tries to get a change onto another machine.
import { describe, expect, it } from 'vitest';
import { asAuthorised } from '../../../agent/execution/run-request.ts';
import { readIdentity } from '../../../agent/execution/machine-identity.ts';
import { SIMULATED_SID, type SimulatedMachine } from '../../lab/simulated-site.ts';
import { withDir } from '../../support/evidence-fixtures.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { executorLab, type ExecutorLab } from '../../support/executor-lab.ts';
import { drifted, loadedRunbook, machine, testTarget } from '../../support/runbook-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const OTHER = 'S-1-5-21-1-2-3';
const CHANGES = ['remediate', 'confirm', 'rollback'];

async function on(
  srv: SimulatedMachine,
  fn: (lab: ExecutorLab) => Promise<void>,
  o: Parameters<typeof executorLab>[2] = {},
): Promise<void> {
  await withDir(async (dir) => {
    const lab = executorLab(dir, { 'srv-1': srv }, o);
    try {
      await fn(lab);
    } finally {
      lab.store.close();
    }
  });
}
const changesOf = (lab: ExecutorLab): string[] => lab.phases().filter((phase) => CHANGES.includes(phase));
const pinned = (lab: ExecutorLab) => lab.store.targetIdentities.byTarget('srv-1');

describe('first contact', () => {
  it('pins the machine that a look meets, and says so once', () =>
    on(machine(), async (lab) => {
      await lab.run({ action: 'detect' });
      await lab.run({ action: 'detect' });
      expect(pinned(lab)).toMatchObject({ machineSid: SIMULATED_SID, otherSid: null });
      expect(lab.findings.map(({ result }) => result)).toEqual(['pass', 'pass']);
    }));

  it('may be the detect of an ordered change: from then on every step of it needs that machine', () =>
    on(drifted(), async (lab) => {
      expect(await lab.run()).toMatchObject({ outcome: 'success' });
      expect(pinned(lab)?.machineSid).toBe(SIMULATED_SID);
    }));

  it.each([
    ['that does not say who it is', null],
    ['that says something malformed', `${SIMULATED_SID}-500`],
    ['that says two things', `${SIMULATED_SID}\r\nmachine_sid=${OTHER}`],
  ])('with a machine %s pins nothing: it is looked at, and not changed', (_name, sid) =>
    on(drifted({ sid }), async (lab) => {
      expect(await lab.run({ action: 'detect' })).toMatchObject({ outcome: 'success' });
      expect(await lab.run()).toMatchObject({ outcome: 'failed', code: 'target_identity_unknown' });
      expect(await lab.run({ dryRun: true })).toMatchObject({ outcome: 'failed', code: 'target_identity_unknown' });
      expect(lab.phases()).toEqual(['detect', 'detect', 'detect']);
      expect(pinned(lab)).toBeNull();
      expect(lab.actions().at(-1)).toMatchObject({ phase: 'result', code: 'target_identity_unknown' });
    }),
  );

  it('is no way to change a machine whose runbook makes no plan', () =>
    on(drifted({ sid: null }), async (lab) => {
      const loaded = loadedRunbook({ dry_run: 'none' });
      expect(await lab.run({ loaded })).toMatchObject({ code: 'target_identity_unknown' });
      expect(changesOf(lab)).toEqual([]);
    }));
});

describe('a pinned target', () => {
  it('that another machine answers for is unknown and is not changed, until its own machine is back', () =>
    on(drifted(), async (lab) => {
      await lab.run({ action: 'detect' });
      const srv = lab.site.machines['srv-1']!;
      srv.sid = OTHER;
      expect(await lab.run()).toMatchObject({ outcome: 'rejected', code: 'target_identity_differs' });
      expect(await lab.run({ action: 'detect' })).toMatchObject({ outcome: 'failed' });
      expect(lab.findings.slice(1)).toMatchObject([
        { result: 'unknown', facts: { unseen: 'other_machine' } },
        { result: 'unknown', facts: { unseen: 'other_machine' } },
      ]);
      // Not even the looks were begun there.
      expect(lab.phases()).toEqual(['detect']);
      expect(pinned(lab)).toMatchObject({ machineSid: SIMULATED_SID, otherSid: OTHER });
      expect(lab.actions().at(-1)).toMatchObject({ outcome: 'rejected', code: 'target_identity_differs' });
      srv.sid = SIMULATED_SID;
      expect(await lab.run()).toMatchObject({ outcome: 'success' });
      expect(pinned(lab)).toMatchObject({ otherSid: null, otherAt: null });
    }));

  it('that does not say any more who it is is unknown, and not changed', () =>
    on(drifted(), async (lab) => {
      await lab.run({ action: 'detect' });
      lab.site.machines['srv-1']!.sid = null;
      expect(await lab.run()).toMatchObject({ outcome: 'failed', code: 'target_identity_unknown' });
      expect(lab.findings.at(-1)).toMatchObject({ result: 'unknown', facts: { unseen: 'identity_unread' } });
      expect(changesOf(lab)).toEqual([]);
    }));

  it.each(['plan', 'remediate'] as const)('that becomes another machine right before its %s is not changed', (phase) =>
    on(drifted(), async (lab) => {
      const before = structuredClone(lab.site.machines['srv-1']!.settings);
      lab.site.onRun = (_target, begun) => {
        if (begun === phase) lab.site.machines['srv-1']!.sid = OTHER;
      };
      expect(await lab.run()).toMatchObject({ outcome: 'failed' });
      expect(changesOf(lab)).toEqual([]);
      expect(lab.site.machines['srv-1']!.settings).toEqual(before);
    }),
  );

  it('that becomes another machine after its change is no success, and nothing is undone on the other one', () =>
    on(drifted(), async (lab) => {
      lab.site.onRun = (_target, begun) => {
        if (begun === 'verify') lab.site.machines['srv-1']!.sid = OTHER;
      };
      expect(await lab.run()).toMatchObject({ outcome: 'failed', code: 'runbook_rollback_failed' });
      expect(changesOf(lab)).toEqual(['remediate']);
      expect(lab.actions().at(-1)).toMatchObject({ outcome: 'failed', code: 'runbook_rollback_failed' });
      expect(lab.findings.at(-1)).toMatchObject({ result: 'unknown', facts: { unseen: 'other_machine' } });
    }));

  it('is not rolled back on another machine', () =>
    on(drifted(), async (lab) => {
      await lab.run();
      lab.circumstances = { ...lab.circumstances, nowT: NOW + 3_600 };
      lab.site.machines['srv-1']!.sid = OTHER;
      expect(await lab.run({ action: 'rollback' })).toMatchObject({ code: 'target_identity_differs' });
      lab.site.machines['srv-1']!.sid = null;
      expect(await lab.run({ action: 'rollback' })).toMatchObject({ code: 'target_identity_unknown' });
      expect(changesOf(lab)).toEqual(['remediate']);
    }));

  it('believes no machine that runs the script all the same and prints what the pinned one would', () =>
    on(drifted(), async (lab) => {
      await lab.run({ action: 'detect' });
      // It is another one, and its answer to the guard says so, or says both.
      const answers = [OTHER, `${OTHER}\r\nmachine_sid=${SIMULATED_SID}`, `${SIMULATED_SID}\r\nmachine_sid=${OTHER}`];
      const target = testTarget();
      for (const sid of answers) {
        const session = lab.deps.runner.open(target);
        lab.site.run = () =>
          Promise.resolve({
            exitCode: 0,
            stdout: Buffer.from(`machine_sid=${sid}\r\n{}\r\n`),
            stderr: Buffer.alloc(0),
            truncated: false,
          });
        const run = { script: '', params: { phase: 'remediate' }, cpuMs: 1, timeoutMs: 1, outputCapBytes: 9_999 };
        const code = sid === OTHER ? 'target_identity_differs' : 'target_identity_unknown';
        await expectCodeAsync(session.run(run, new AbortController().signal), code);
        await session.close();
      }
    }));

  it('is not replaced by what the list of targets names, nor changed while that names another machine', () =>
    on(
      drifted(),
      async (lab) => {
        lab.store.targetIdentities.pin('srv-1', SIMULATED_SID, NOW);
        expect(await lab.run()).toMatchObject({ code: 'target_identity_differs' });
        expect(lab.phases()).toEqual([]);
        expect(pinned(lab)?.machineSid).toBe(SIMULATED_SID);
      },
      { targets: [testTarget('srv-1', { identity: { machine_sid: OTHER } })] },
    ));

  it('is another one under another id: a machine that took its place is added anew', () =>
    withDir(async (dir) => {
      const lab = executorLab(dir, { 'srv-1': drifted({ sid: OTHER }), 'srv-1b': drifted({ sid: OTHER }) });
      lab.store.targetIdentities.pin('srv-1', SIMULATED_SID, NOW);
      expect(await lab.run()).toMatchObject({ code: 'target_identity_differs' });
      expect(await lab.run({ targetId: 'srv-1b' })).toMatchObject({ outcome: 'success' });
      expect(lab.store.targetIdentities.list().map(({ targetId, machineSid }) => [targetId, machineSid])).toEqual([
        ['srv-1', SIMULATED_SID],
        ['srv-1b', OTHER],
      ]);
      lab.store.close();
    }));
});

describe('an authorisation that names a machine', () => {
  it('is for the machine that was met, also where Central Command hands out no identity', () =>
    on(drifted(), async (lab) => {
      await lab.run({ action: 'detect' });
      expect(await lab.run({ pinnedIdentity: OTHER })).toMatchObject({
        outcome: 'rejected',
        code: 'target_identity_differs',
      });
      expect(await lab.run({ pinnedIdentity: SIMULATED_SID })).toMatchObject({ outcome: 'success' });
    }));

  it('decides at first contact who has to answer', () =>
    on(drifted(), async (lab) => {
      expect(await lab.run({ pinnedIdentity: OTHER })).toMatchObject({ code: 'target_identity_differs' });
      expect(lab.phases()).toEqual([]);
      expect(pinned(lab)).toBeNull();
      expect(await lab.run({ pinnedIdentity: SIMULATED_SID })).toMatchObject({ outcome: 'success' });
      expect(pinned(lab)?.machineSid).toBe(SIMULATED_SID);
    }));

  it('names it exactly, or by a key that the connection proves', () => {
    const target = testTarget('srv-1', { identity: { machine_sid: SIMULATED_SID, spki: 'ab'.repeat(32) } });
    expect(asAuthorised(target, SIMULATED_SID, null)).toMatchObject({ identity: { machine_sid: SIMULATED_SID } });
    expect(asAuthorised(target, SIMULATED_SID, SIMULATED_SID)).not.toBeNull();
    expect(asAuthorised(target, SIMULATED_SID, OTHER)).toBeNull();
    expect(asAuthorised(target, OTHER, OTHER)).toBeNull();
    expect(asAuthorised(target, `spki:${'cd'.repeat(32)}`, OTHER)).not.toBeNull();
    expect(asAuthorised(target, `spki:${'ab'.repeat(32)}`, null)).not.toBeNull();
    for (const named of ['', 'spki:', 'S-1-5-21', `${SIMULATED_SID}-500`, `spki:${'ef'.repeat(32)}`, 'srv-1']) {
      expect(asAuthorised(target, named, null), named).toBeNull();
    }
    const { identity: _none, ...bare } = testTarget('srv-1', { scheme: 'http' });
    expect(asAuthorised(bare, `spki:${'cd'.repeat(32)}`, null)).toBeNull();
  });
});

it('a script that failed before the machine could be asked is told as that', () =>
  on(machine(), async (lab) => {
    await lab.run({ action: 'detect' });
    lab.site.run = () =>
      Promise.resolve({ exitCode: 1, stdout: Buffer.alloc(0), stderr: Buffer.from('x'), truncated: false });
    await lab.run({ action: 'detect' });
    expect(lab.findings.at(-1)).toMatchObject({ result: 'unknown', facts: { unseen: 'script_failed' } });
    expect(readIdentity(Buffer.alloc(0)).answer).toEqual({ said: 'not_asked' });
  }));
