import { describe, expect, it } from 'vitest';
import { lookAfterAppliance } from '../../../agent/execution/appliance/look-after-appliance.ts';
import type { HelperAnswer } from '../../../agent/execution/appliance/appliance-run.ts';
import { lookAfterInterruptions } from '../../../agent/execution/look-after-interruption.ts';
import {
  applianceLab,
  done,
  onAppliance,
  shippedRunbook,
  soundMachine,
  untilOver,
  type ApplianceLab,
} from '../../support/appliance-lab.ts';
import { verdictOn, withDir } from '../../support/evidence-fixtures.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const AV = 'RB-APP-AV-001';
const BACKUP = 'RB-APP-BACKUP-001';
const never = new AbortController().signal;
const find = (sha256: string) => [AV, BACKUP].map(shippedRunbook).find((loaded) => loaded.sha256 === sha256) ?? null;

const sound = soundMachine();
const stoppedScanner = { av_edr: { ...sound.av_edr, activeState: 'failed', running: 'nothing' as const } };
const staleBackup = { backup: { ...sound.backup, newestAt: NOW - 30 * 3_600 } };

describe('a backup that was started', () => {
  const started: HelperAnswer = { answer: 'started', run: null, sentence: 'started' };

  async function later(lab: ApplianceLab, seconds: number) {
    await lab.clock.advance(seconds * 1_000);
    const looking = lookAfterAppliance(lab.deps, find, never);
    await untilOver(looking, lab.clock);
    return looking;
  }

  it('is deferred, and a success only when a later look sees a new snapshot; not because it was started', () =>
    onAppliance(staleBackup, async (lab) => {
      lab.onHelper = () => started;
      expect(await lab.run(BACKUP)).toMatchObject({ outcome: 'deferred', code: 'runbook_started' });
      expect(await later(lab, 1_000)).toEqual([]);
      expect(await later(lab, 1_000)).toEqual([]);
      const newestAt = Math.floor(lab.clock.wallMs() / 1_000);
      lab.machine = { ...lab.machine, backup: { ...sound.backup, newestAt } };
      expect(await later(lab, 1_000)).toMatchObject([{ runbookId: BACKUP, outcome: 'success' }]);
      expect(await later(lab, 1_000)).toEqual([]);
      expect(lab.actions().map(({ phase, outcome }) => [phase, outcome])).toEqual([
        ['intent', undefined],
        ['result', 'deferred'],
        ['result', 'success'],
      ]);
      expect(lab.actions().at(-1)).toMatchObject({ order_digest: 'ab'.repeat(32), post_state: { snapshot_hours: 0 } });
    }));

  it('whose snapshot is there at once is a success at once', () =>
    onAppliance(staleBackup, async (lab) => {
      lab.onHelper = () => {
        lab.machine = { ...lab.machine, backup: { ...sound.backup, newestAt: Math.floor(lab.clock.wallMs() / 1_000) } };
        return started;
      };
      expect(await lab.run(BACKUP)).toMatchObject({ outcome: 'success', changes: 1 });
      expect(await later(lab, 86_400)).toEqual([]);
    }));

  it('is looked at as soon as its check sees the snapshot, without waiting for its own next look', () =>
    onAppliance(staleBackup, async (lab) => {
      lab.onHelper = () => started;
      await lab.run(BACKUP);
      expect(await later(lab, 60)).toEqual([]);
      const newestAt = Math.floor(lab.clock.wallMs() / 1_000);
      lab.machine = { ...lab.machine, backup: { ...sound.backup, newestAt } };
      await lab.deps.look('backup', never);
      expect(await later(lab, 60)).toMatchObject([{ runbookId: BACKUP, outcome: 'success' }]);
    }));

  it('is not waited for once its service has ended: what a look sees then is what came of it', () =>
    onAppliance(staleBackup, async (lab) => {
      lab.onHelper = () => started;
      await lab.run(BACKUP);
      lab.underWay = true;
      expect(await later(lab, 60)).toEqual([]);
      lab.underWay = false;
      // What cannot be read proves neither.
      const { machine } = lab;
      const { backup: _, ...blind } = machine;
      lab.machine = blind as typeof machine;
      expect(await later(lab, 60)).toEqual([]);
      lab.machine = machine;
      expect(await later(lab, 60)).toMatchObject([{ runbookId: BACKUP, outcome: 'failed' }]);
      expect(lab.store.runs.list(1)).toMatchObject([{ state: 'ended', outcome: 'failed' }]);
      expect(lab.actions().at(-1)).toMatchObject({ outcome: 'failed', code: 'runbook_not_verified' });
    }));

  it('of an incident tells it how the run ended, in the unit of work that records it', () =>
    onAppliance(staleBackup, async (lab) => {
      lab.onHelper = () => started;
      await lab.run(BACKUP, { link: { incident_id: '019e0000-0000-7000-8000-0000000000c1' } });
      const newestAt = Math.floor(lab.clock.wallMs() / 1_000);
      lab.machine = { ...lab.machine, backup: { ...sound.backup, newestAt } };
      lab.underWay = false;
      const told: object[] = [];
      const settled = (run: object): void => {
        told.push(run);
        throw new Error('the incident cannot be kept');
      };
      await expect(lookAfterAppliance({ ...lab.deps, settled }, find, never)).rejects.toThrow('cannot be kept');
      // Nothing of it was recorded, so the next look does it.
      expect(lab.actions()).toHaveLength(2);
      expect(await later(lab, 60)).toMatchObject([{ outcome: 'success' }]);
      expect(told).toMatchObject([{ incidentId: '019e0000-0000-7000-8000-0000000000c1', outcome: 'success' }]);
    }));

  it('waits its day in signed time: a wall clock that was turned ahead ends nothing, and without signed time nothing ends', () =>
    onAppliance(staleBackup, async (lab) => {
      lab.onHelper = () => started;
      await lab.run(BACKUP);
      lab.wallBehindS = -100_000;
      expect(await later(lab, 100_000)).toEqual([]);
      lab.circumstances = { ...lab.circumstances, nowT: null };
      lab.wallBehindS = 0;
      expect(await later(lab, 100_000)).toEqual([]);
      lab.circumstances = { ...lab.circumstances, nowT: NOW };
      expect(await later(lab, 60)).toMatchObject([{ outcome: 'failed' }]);
    }));

  it('that came to nothing within a day has failed, and a look that sees nothing proves nothing', () =>
    onAppliance(staleBackup, async (lab) => {
      lab.onHelper = () => started;
      await lab.run(BACKUP);
      lab.machine = { ...lab.machine, backup: { ...sound.backup, repository: 'missing', newestAt: null } };
      expect(await later(lab, 80_000)).toEqual([]);
      expect(await later(lab, 10_000)).toMatchObject([{ outcome: 'failed' }]);
      expect(lab.actions().at(-1)).toMatchObject({ outcome: 'failed', code: 'runbook_not_verified' });
    }));
});

describe('a run on the appliance that is cut short', () => {
  /** The process ends while the helper works, or when the intent is on the disk. */
  async function cutShort(lab: ApplianceLab, says: boolean): Promise<void> {
    const controller = new AbortController();
    // A process that dies says nothing to its journal.
    if (!says) lab.deps.store.runs.interrupt = () => undefined;
    lab.onHelper = () => {
      controller.abort(new Error('the process ends'));
      return done();
    };
    await expect(lab.run(AV, {}, controller.signal)).rejects.toThrow('the process ends');
  }

  it('is never run again: it is looked at, and ends as failed with what was seen; nothing else is changed before', () =>
    onAppliance(stoppedScanner, async (lab) => {
      await cutShort(lab, true);
      expect(lab.store.runs.interrupted()).toHaveLength(1);
      lab.circumstances = { ...lab.circumstances, nowT: NOW + 3_600 };
      expect(await lab.run(AV)).toMatchObject({ outcome: 'deferred', code: 'runbook_interrupted_open' });
      expect(lab.asked).toHaveLength(1);
      // The look after Windows runs leaves it alone.
      const none = {
        ...lab.deps,
        runner: null,
        targets: null,
        machines: null,
        waivers: () => [],
        recordFindings: () => undefined,
      };
      expect(await lookAfterInterruptions(none as never, () => null, never)).toBe(0);
      lab.machine = { ...lab.machine, av_edr: sound.av_edr };
      expect(await lookAfterAppliance(lab.deps, find, never)).toMatchObject([{ runbookId: AV, outcome: 'failed' }]);
      expect(lab.asked).toHaveLength(1);
      expect(lab.actions().at(-1)).toMatchObject({
        ...{ outcome: 'failed', code: 'runbook_interrupted' },
        post_state: { service: 'active' },
      });
    }));

  it('and cannot be looked at keeps waiting for a day of signed time, not of a wall clock that was turned ahead', () =>
    onAppliance(stoppedScanner, async (lab) => {
      await cutShort(lab, true);
      const { av_edr: _, ...blind } = lab.machine;
      lab.machine = blind as typeof lab.machine;
      await lab.clock.advance(100_000_000);
      lab.wallBehindS = -100_000;
      expect(await lookAfterAppliance(lab.deps, find, never)).toEqual([]);
      lab.wallBehindS = 0;
      expect(await lookAfterAppliance(lab.deps, find, never)).toMatchObject([{ outcome: 'failed' }]);
      expect(lab.actions().at(-1)).toMatchObject({ code: 'runbook_interrupted' });
    }));

  it('by the end of its process is found by the next one, from the intent on the disk', () =>
    withDir(async (dir) => {
      const before = applianceLab(dir, stoppedScanner);
      await cutShort(before, false);
      expect(before.store.runs.list(1)).toMatchObject([{ state: 'intent' }]);
      before.store.close();
      const after = applianceLab(dir, stoppedScanner, before.clock);
      try {
        expect(after.store.runs.markInterrupted()).toBe(1);
        expect(await lookAfterAppliance(after.deps, find, never)).toHaveLength(1);
        expect(after.asked).toEqual([]);
        expect(after.actions().map(({ phase, outcome }) => [phase, outcome])).toEqual([
          ['intent', undefined],
          ['result', 'failed'],
        ]);
        expect(verdictOn(after.store).ok).toBe(true);
      } finally {
        after.store.close();
      }
    }));
});
