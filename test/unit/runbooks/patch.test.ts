import { expect, it } from 'vitest';
import { lintPowerShell } from '../../../tools/powershell-lint.ts';
import { describeBook } from '../../lab/describe-book.ts';
import { labRunbook } from '../../lab/play-scenario.ts';
import { canonical, type LabState } from '../../lab/run-step.ts';
import { patch } from '../../lab/scenarios/patch.ts';

const bootedAt = (state: LabState) =>
  canonical((state['cim'] as { Win32_OperatingSystem: unknown }).Win32_OperatingSystem);
const SYSTEM_AND_ADMINISTRATORS = ['*S-1-5-18:(OI)(CI)F', '*S-1-5-32-544:(OI)(CI)F'];

describeBook(patch, (played) => {
  it('leaves no task, no file and no restart behind, whatever becomes of the installation', () => {
    for (const [name, steps] of played) {
      for (const { step, before, after, actions } of steps) {
        if (!('phase' in step)) continue;
        expect(bootedAt(after), `${name} ${step.phase}`).toBe(bootedAt(before));
        if (step.phase !== 'remediate' || actions === null || actions.status === 'started') continue;
        expect([after['tasks'], after.files], `${name} ${step.phase}`).toEqual([{}, undefined]);
      }
    }
  });

  it('opens the folder of its task to SYSTEM and administrators only', () => {
    const granted = [...played.values()].flatMap((steps) => steps.flatMap(({ after }) => after['acl'] ?? []));
    expect(granted.length).toBeGreaterThan(0);
    expect([...new Set(granted)].toSorted()).toEqual(SYSTEM_AND_ADMINISTRATORS);
  });

  it('gives its task a script that the grammar of 5.1 reads', async () => {
    const remediate = labRunbook(patch.runbook).loaded.scripts.get('remediate.ps1') ?? '';
    const installer = /@'\n(.*?)\n'@/s.exec(remediate)?.[1] ?? '';
    expect(installer).toContain('CreateUpdateInstaller');
    const mistakes = await lintPowerShell(installer);
    expect(mistakes.filter((mistake) => mistake.includes('5.1') && !mistake.includes('.HResult'))).toEqual([]);
  });

  it('does not run a script that somebody changed after its digest was taken', () => {
    const steps = played.get('script-tampered') ?? [];
    expect(steps.length).toBe(2);
    for (const { after } of steps) expect(after.files).toBeUndefined();
  });
});
