import { expect, it } from 'vitest';
import { describeBook } from '../../lab/describe-book.ts';
import { canonical, type LabState } from '../../lab/run-step.ts';
import { backup } from '../../lab/scenarios/backup.ts';

/** What is set up, as against what ran. */
function settings(state: LabState): string {
  const { wsb, veeam } = state as { wsb?: { policy: boolean }; veeam?: { jobs: readonly { next: string | null }[] } };
  return canonical({ policy: wsb?.policy, schedules: veeam?.jobs.map(({ next }) => next) });
}

describeBook(backup, (played) => {
  it('changes no setting of a backup, and never says that a started one is made', () => {
    for (const [name, steps] of played) {
      for (const { step, before, after, actions } of steps) {
        if (!('phase' in step)) continue;
        expect(settings(after), `${name} ${step.phase}`).toBe(settings(before));
        if (step.phase === 'remediate') expect(actions?.status, name).not.toBe('changed');
      }
    }
  });
});
