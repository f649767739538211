// RB-APP-PATCH-001: the switch ends the process that asks for it, so what came of it is seen by the one after it.
import { describe, expect, it } from 'vitest';
import { lookAfterAppliance } from '../../../agent/execution/appliance/look-after-appliance.ts';
import type { FactValues } from '../../../agent/facts/probes.ts';
import {
  onAppliance,
  shippedRunbook,
  soundMachine,
  untilOver,
  type ApplianceLab,
} from '../../support/appliance-lab.ts';

const PATCH = 'RB-APP-PATCH-001';
const never = new AbortController().signal;
const find = (sha256: string) => (shippedRunbook(PATCH).sha256 === sha256 ? shippedRunbook(PATCH) : null);
const nixos = soundMachine().patching as Extract<FactValues['patching'], { system: 'nixos' }>;
const other = { patching: { ...nixos, runningClosure: `/nix/store/${'1'.repeat(32)}-other` } };
/** Authorised work inside the window. */
const inWindow = (lab: ApplianceLab): void => {
  lab.circumstances = { ...lab.circumstances, listedClass: 'disruptive' };
  lab.onHelper = () => ({ answer: 'started', run: 'aa'.repeat(16), sentence: 'started' });
};

async function later(lab: ApplianceLab, wentBack: boolean) {
  await lab.clock.advance(60_000);
  const looking = lookAfterAppliance({ ...lab.deps, wentBack: () => wentBack }, find, never);
  await untilOver(looking, lab.clock);
  return looking;
}

describe('an update by the runbook', () => {
  it('is handed over and not waited for, and a success once a look sees the declared system', () =>
    onAppliance(other, async (lab) => {
      inWindow(lab);
      const looks = lab.findings.length;
      expect(await lab.run(PATCH)).toMatchObject({
        outcome: 'deferred',
        code: 'runbook_started',
      });
      expect(lab.asked).toEqual([['apply-update', 'act', '']]);
      expect(lab.findings).toHaveLength(looks + 1);
      lab.underWay = true;
      expect(await later(lab, false)).toEqual([]);
      lab.underWay = false;
      lab.machine = { ...lab.machine, patching: nixos };
      expect(await later(lab, false)).toMatchObject([{ runbookId: PATCH, outcome: 'success' }]);
    }));

  it('that went back by itself is reverted, and not a success for being over', () =>
    onAppliance(other, async (lab) => {
      inWindow(lab);
      await lab.run(PATCH);
      lab.underWay = false;
      expect(await later(lab, true)).toMatchObject([{ runbookId: PATCH, outcome: 'reverted' }]);
      expect(lab.actions().at(-1)).toMatchObject({ outcome: 'reverted', code: 'runbook_reverted' });
    }));

  it('is no success while it is at work, though the declared system runs: it may not hold and go back', () =>
    onAppliance(other, async (lab) => {
      inWindow(lab);
      await lab.run(PATCH);
      const before = lab.machine;
      lab.underWay = true;
      lab.machine = { ...lab.machine, patching: nixos };
      await lab.deps.look('patching', never);
      const looks = lab.findings.length;
      expect(await later(lab, false)).toEqual([]);
      // A look costs the appliance something, and could not end it now.
      expect(lab.findings).toHaveLength(looks);
      expect(lab.actions().at(-1)).toMatchObject({ outcome: 'deferred' });
      lab.machine = before;
      lab.underWay = false;
      expect(await later(lab, true)).toMatchObject([{ runbookId: PATCH, outcome: 'reverted' }]);
    }));

  it('of which root says nothing, and after which another system runs, has failed', () =>
    onAppliance(other, async (lab) => {
      inWindow(lab);
      await lab.run(PATCH);
      lab.underWay = false;
      expect(await later(lab, false)).toMatchObject([{ outcome: 'failed' }]);
    }));

  it('waits for the window, and is not asked for where the baseline names no other system', () =>
    onAppliance(other, async (lab) => {
      inWindow(lab);
      lab.circumstances = { ...lab.circumstances, windowOpen: false };
      expect(await lab.run(PATCH)).toMatchObject({ outcome: 'deferred', code: 'runbook_window_closed' });
      lab.machine = { ...lab.machine, patching: nixos };
      expect(await lab.run(PATCH)).toMatchObject({ outcome: 'success', changes: 0 });
      expect(lab.asked).toEqual([]);
    }));
});
