import { describe, expect, it } from 'vitest';
import { lookAfterInterruptions } from '../../../agent/execution/look-after-interruption.ts';
import type { Phase } from '../../../agent/execution/runner.ts';
import { verdictOn, withDir } from '../../support/evidence-fixtures.ts';
import { executorLab, type ExecutorLab } from '../../support/executor-lab.ts';
import { drifted, loadedRunbook, TEST_CHECK } from '../../support/runbook-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const never = new AbortController().signal;
const find = () => ({ loaded: loadedRunbook(), check: TEST_CHECK });

/** Ends the run in the given phase: before it begins, or when it has done its work. */
async function cutShort(lab: ExecutorLab, at: Phase): Promise<void> {
  const controller = new AbortController();
  lab.site.onRun = (_target, phase) => {
    if (phase === at) controller.abort(new Error('the process ends'));
  };
  await expect(lab.run({}, controller.signal)).rejects.toThrow('the process ends');
  delete lab.site.onRun;
}

describe('a run that is cut short', () => {
  it.each<Phase>(['remediate', 'verify'])(
    'in %s is never run again: its target is looked at, and it ends as failed with what was seen',
    (phase) =>
      withDir(async (dir) => {
        const lab = executorLab(dir, { 'srv-1': drifted() });
        try {
          await cutShort(lab, phase);
          expect(lab.store.runs.interrupted()).toHaveLength(1);
          const began = lab.phases().length;
          // Nothing else is changed there before somebody has looked.
          lab.circumstances = { ...lab.circumstances, nowT: NOW + 3_600 };
          lab.site.machines['srv-1']!.settings['guard_on'] = false;
          expect(await lab.run()).toMatchObject({ outcome: 'deferred', code: 'runbook_interrupted_open' });
          expect(await lookAfterInterruptions(lab.deps, find, never)).toBe(1);
          expect(lab.phases().slice(began)).toEqual(['detect', 'plan', 'verify']);
          const last = lab.actions().at(-1);
          expect(last).toMatchObject({ phase: 'result', outcome: 'failed', code: 'runbook_interrupted' });
          expect(last?.post_state).toMatchObject({ guard_on: false });
          expect(lab.actions()[0]?.plan_digest).toBe(last?.plan_digest);
          expect(await lab.run()).toMatchObject({ outcome: 'success' });
          expect(verdictOn(lab.store).ok).toBe(true);
        } finally {
          lab.store.close();
        }
      }),
  );

  it('by the end of its process is found by the next one, from the intent on the disk', () =>
    withDir(async (dir) => {
      const before = executorLab(dir, { 'srv-1': drifted() });
      const { store } = before;
      // A process that dies says nothing to its journal.
      before.deps.store.runs.interrupt = () => undefined;
      await cutShort(before, 'verify');
      expect(store.runs.list(1)).toMatchObject([{ state: 'intent' }]);
      store.close();
      const after = executorLab(dir, { 'srv-1': { ...before.site.machines['srv-1']! } }, { clock: before.clock });
      try {
        expect(after.store.runs.markInterrupted()).toBe(1);
        expect(await lookAfterInterruptions(after.deps, find, never)).toBe(1);
        expect(after.phases()).toEqual(['verify']);
        expect(after.actions().map(({ phase, outcome }) => [phase, outcome])).toEqual([
          ['intent', undefined],
          ['result', 'failed'],
        ]);
      } finally {
        after.store.close();
      }
    }));

  it('waits a day of signed time for its target, then ends without a look', () =>
    withDir(async (dir) => {
      const lab = executorLab(dir, { 'srv-1': drifted() });
      try {
        await cutShort(lab, 'remediate');
        lab.site.machines['srv-1']!.fails = 'winrm_unreachable';
        expect(await lookAfterInterruptions(lab.deps, find, never)).toBe(0);
        await lab.clock.advance(86_400_000);
        // A wall clock that somebody turned ahead is no day: only signed time counts it.
        expect(await lookAfterInterruptions(lab.deps, find, never)).toBe(0);
        const { nowT } = lab.circumstances;
        lab.circumstances = { ...lab.circumstances, nowT: null };
        expect(await lookAfterInterruptions(lab.deps, find, never)).toBe(0);
        lab.circumstances = { ...lab.circumstances, nowT: (nowT ?? 0) + 86_400 };
        expect(await lookAfterInterruptions(lab.deps, find, never)).toBe(1);
        expect(lab.actions().at(-1)).toMatchObject({ code: 'runbook_interrupted' });
        expect(lab.actions().at(-1)).not.toHaveProperty('post_state');
      } finally {
        lab.store.close();
      }
    }));

  it('before its intent leaves nothing to look after', () =>
    withDir(async (dir) => {
      const lab = executorLab(dir, { 'srv-1': drifted() });
      try {
        await cutShort(lab, 'plan');
        expect(lab.store.runs.list(1)).toEqual([]);
      } finally {
        lab.store.close();
      }
    }));
});
