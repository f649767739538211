import { describe, expect, it } from 'vitest';
import type { ApplianceRequest, HelperAnswer } from '../../../agent/execution/appliance/appliance-run.ts';
import type { FactValues } from '../../../agent/facts/probes.ts';
import { done, onAppliance, shippedRunbook, soundMachine, type ApplianceLab } from '../../support/appliance-lab.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const AV = 'RB-APP-AV-001';
const BACKUP = 'RB-APP-BACKUP-001';
const FIREWALL = 'RB-APP-FIREWALL-001';
const LOGGING = 'RB-APP-LOGGING-001';
const sound = soundMachine();
const stoppedScanner = { av_edr: { ...sound.av_edr, activeState: 'failed', running: 'nothing' as const } };
const changedTable = [{ family: 'inet', name: 'compliance-agent-egress', sha256: 'ee'.repeat(32) }];
const changedFilter = { firewall: { ...sound.firewall, tables: changedTable } };
const staleBackup = { backup: { ...sound.backup, newestAt: NOW - 30 * 3_600 } };

/** A helper that does what it should. */
const heals =
  (lab: ApplianceLab, run: string | null = null) =>
  (): HelperAnswer => {
    lab.machine = { ...lab.machine, av_edr: sound.av_edr, firewall: sound.firewall, logging: sound.logging };
    return done(run);
  };

describe('a runbook on the appliance', () => {
  it('heals a stopped scanner: look, intent, helper, an independent look and one more, result; a second run changes nothing', () =>
    onAppliance(stoppedScanner, async (lab) => {
      lab.onHelper = () => {
        // The intent is on the disk before anything is changed.
        expect(lab.actions().map((entry) => entry.phase)).toEqual(['intent']);
        return heals(lab)();
      };
      expect(await lab.run(AV)).toMatchObject({ outcome: 'success', code: null, changes: 1 });
      expect(lab.asked).toEqual([['restart-unit', 'act', 'av_edr']]);
      expect(lab.findings.map(({ result }) => result)).toEqual(['fail', 'pass', 'pass']);
      const [intent, result] = lab.actions();
      expect(intent).toMatchObject({
        phase: 'intent',
        order_digest: 'ab'.repeat(32),
        pre_state: { service: 'failed' },
      });
      expect(intent?.actions).toEqual(['would run the helper restart-unit on av_edr']);
      expect(result).toMatchObject({
        ...{ phase: 'result', outcome: 'success', rollback_available: false, plan_digest: intent?.plan_digest },
        actions: ['ran the helper restart-unit on av_edr'],
        post_state: { service: 'active' },
      });
      lab.circumstances = { ...lab.circumstances, nowT: NOW + 3_600 };
      expect(await lab.run(AV)).toMatchObject({ outcome: 'success', changes: 0 });
      expect(lab.asked).toHaveLength(1);
    }));

  it('says in a dry run which helper would run on what, and asks none', () =>
    onAppliance(stoppedScanner, async (lab) => {
      const result = await lab.run(AV, { dryRun: true });
      expect(result).toMatchObject({ outcome: 'dry_run', code: 'runbook_dry_run', changes: 1 });
      expect(lab.actions()).toMatchObject([
        { phase: 'result', outcome: 'dry_run', actions: ['would run the helper restart-unit on av_edr'] },
      ]);
      expect(lab.asked).toEqual([]);
      expect(lab.store.runs.list(9)).toEqual([]);
    }));

  it('is success for what it mends, and says so, where the check still has something else to say', () =>
    onAppliance({ av_edr: { ...stoppedScanner.av_edr, exclusions: ['ExcludePath ^/home/'] } }, async (lab) => {
      lab.onHelper = () => {
        lab.machine = { ...lab.machine, av_edr: { ...sound.av_edr, exclusions: ['ExcludePath ^/home/'] } };
        return done();
      };
      expect(await lab.run(AV)).toMatchObject({ outcome: 'success', changes: 1 });
      expect(lab.findings.at(-1)?.result).toBe('fail');
      expect(lab.actions().at(-1)?.post_state).toMatchObject({ service: 'active', exclusions_undeclared: 1 });
      lab.circumstances = { ...lab.circumstances, nowT: NOW + 3_600 };
      expect(await lab.run(AV)).toMatchObject({ outcome: 'alert', code: 'runbook_nothing_to_change' });
      expect(lab.asked).toHaveLength(1);
    }));

  it('takes no look for one that rests on facts from before the change', () =>
    onAppliance(stoppedScanner, async (lab) => {
      lab.onHelper = () => {
        lab.readAgoS = 600;
        return heals(lab)();
      };
      expect(await lab.run(AV)).toMatchObject({ outcome: 'failed', code: 'runbook_not_verified' });
    }));

  it('decides by facts that were read now: it looks again where the reader did not come to it, and does nothing by old ones', () =>
    onAppliance(stoppedScanner, async (lab) => {
      lab.onHelper = heals(lab);
      lab.readAgoS = 600;
      expect(await lab.run(AV)).toMatchObject({ outcome: 'failed', code: 'runbook_detect_unknown' });
      expect([lab.asked, lab.findings.length]).toEqual([[], 3]);
      let looks = 0;
      lab.onLook = () => {
        lab.readAgoS = looks++ === 0 ? 9 : 0;
      };
      expect(await lab.run(AV)).toMatchObject({ outcome: 'success', changes: 1 });
    }));

  it('asks a helper again that systemd did not start: nothing was done', () =>
    onAppliance(stoppedScanner, async (lab) => {
      let left = 2;
      lab.onHelper = () =>
        left-- > 0 ? { answer: 'absent', code: 'helper_not_started', sentence: 'no' } : heals(lab)();
      expect(await lab.run(AV)).toMatchObject({ outcome: 'success', changes: 1 });
      expect(lab.asked).toHaveLength(3);
    }));

  it('restores the packet filter, asks whether Central Command still answers, and only then confirms it', () =>
    onAppliance(changedFilter, async (lab) => {
      lab.onHelper = (_verb, { step }) => (step === 'act' ? heals(lab, 'aa11')() : done());
      expect(await lab.run(FIREWALL)).toMatchObject({ outcome: 'success' });
      expect(lab.asked.map(([, step, what]) => [step, what])).toEqual([
        ['act', ''],
        ['confirm', 'aa11'],
      ]);
    }));

  it('asks again for the confirmation where nobody answered', () =>
    onAppliance(changedFilter, async (lab) => {
      let silent = 2;
      lab.onHelper = (_verb, { step }) => {
        if (step === 'act') return heals(lab, 'aa11')();
        return silent-- > 0 ? { answer: 'silent', sentence: 'no' } : done();
      };
      expect(await lab.run(FIREWALL)).toMatchObject({ outcome: 'success' });
      expect(lab.asked.map(([, step]) => step)).toEqual(['act', 'confirm', 'confirm', 'confirm']);
    }));

  it.each([
    ['verify says no', { mends: false, connected: true }],
    ['nobody answers any more', { mends: true, connected: false }],
    ['the confirmation is refused', { mends: true, connected: true, refuses: 'confirm' }],
  ] as const)('goes back where %s, and a look sees what was there before', (_name, o) =>
    onAppliance(changedFilter, async (lab) => {
      lab.connected = o.connected;
      lab.onHelper = (_verb, { step }) => {
        if ('refuses' in o && o.refuses === step) {
          return { answer: 'refused', code: 'helper_nothing_pending', sentence: 'no' };
        }
        const tables = step === 'rollback' ? changedTable : o.mends ? sound.firewall.tables : [];
        lab.machine = { ...lab.machine, firewall: { ...sound.firewall, tables } };
        return done('aa11');
      };
      expect(await lab.run(FIREWALL)).toMatchObject({ outcome: 'reverted', code: 'runbook_reverted' });
      expect(lab.asked.at(-1)).toEqual(['restore-firewall', 'rollback', 'aa11']);
      const last = lab.actions().at(-1);
      expect(last).toMatchObject({ outcome: 'reverted', rollback_available: true, post_state: { tables_changed: 1 } });
      expect(last?.actions).toEqual([
        'ran the helper restore-firewall',
        'ran the way back of the helper restore-firewall',
      ]);
    }),
  );

  it.each<[string, HelperAnswer]>([
    ['is refused', { answer: 'refused', code: 'helper_act_failed', sentence: 'no' }],
    ['says that it did and did not', done()],
  ])('ends as failed, never as reverted, where the way back %s', (_name, answer) =>
    onAppliance(changedFilter, async (lab) => {
      lab.onHelper = (_verb, { step }) => {
        lab.machine = { ...lab.machine, firewall: { ...sound.firewall, tables: [] } };
        return step === 'rollback' ? answer : done('aa11');
      };
      expect(await lab.run(FIREWALL)).toMatchObject({ outcome: 'failed', code: 'runbook_rollback_failed' });
      expect(lab.actions().at(-1)).toMatchObject({ outcome: 'failed', post_state: { tables_missing: 1 } });
    }),
  );

  it.each<[string, Partial<FactValues>, HelperAnswer, string, string]>([
    [
      'a helper that refuses',
      stoppedScanner,
      { answer: 'refused', code: 'helper_not_granted', sentence: 'no' },
      'failed',
      'helper_not_granted',
    ],
    [
      'no such helper',
      stoppedScanner,
      { answer: 'absent', code: 'helper_not_installed', sentence: 'no' },
      'failed',
      'helper_not_installed',
    ],
    [
      'a helper that may not be started',
      stoppedScanner,
      { answer: 'absent', code: 'helper_not_started', sentence: 'no' },
      'failed',
      'helper_not_started',
    ],
    [
      'a helper that says nothing and did nothing',
      stoppedScanner,
      { answer: 'silent', sentence: 'no' },
      'failed',
      'runbook_not_verified',
    ],
    ['a helper that claims what no look sees', stoppedScanner, done(), 'failed', 'runbook_not_verified'],
  ])('with %s ends as failed, never as success', (_name, machine, answer, outcome, code) =>
    onAppliance(machine, async (lab) => {
      lab.onHelper = () => answer;
      expect(await lab.run(AV)).toMatchObject({ outcome, code });
      expect(lab.actions().map(({ phase, outcome: said }) => [phase, said])).toEqual([
        ['intent', undefined],
        ['result', outcome],
      ]);
      expect(lab.store.runs.list(9).map(({ state }) => state)).toEqual(['ended']);
    }),
  );

  it('is no success where a helper says nothing, even if all is well after it', () =>
    onAppliance(stoppedScanner, async (lab) => {
      lab.onHelper = () => {
        heals(lab)();
        return { answer: 'silent', sentence: 'no' };
      };
      expect(await lab.run(AV)).toMatchObject({ outcome: 'failed', code: 'helper_silent' });
    }));

  it.each<
    [
      string,
      string,
      Partial<FactValues>,
      Partial<ApplianceRequest>,
      Partial<ApplianceLab['circumstances']>,
      string,
      string,
    ]
  >([
    [
      'a changed program',
      AV,
      { av_edr: { ...stoppedScanner.av_edr, binarySha256: 'cc'.repeat(32) } },
      {},
      {},
      'alert',
      'runbook_precondition',
    ],
    [
      'a lock in the repository',
      BACKUP,
      { backup: { ...staleBackup.backup, locks: [{ exclusive: true, at: NOW - 7_200 }] } },
      {},
      {},
      'alert',
      'runbook_precondition',
    ],
    [
      'journald that is not active',
      LOGGING,
      { logging: { ...sound.logging, journald: 'failed', forwarder: 'failed' } },
      {},
      {},
      'alert',
      'runbook_precondition',
    ],
    [
      'a volume in clear',
      'RB-APP-ENCRYPTION-001',
      {
        encryption: {
          ...sound.encryption,
          volumes: [{ mountPoints: ['/'], use: 'mounted', protection: 'clear', headers: [] }],
        },
      },
      {},
      { listedClass: 'read' },
      'alert',
      'runbook_alert_only',
    ],
    ['no signed time', AV, stoppedScanner, {}, { nowT: null }, 'deferred', 'order_time_unknown'],
    [
      'a content list that does not name it',
      AV,
      stoppedScanner,
      {},
      { listedClass: null },
      'rejected',
      'runbook_unknown',
    ],
    [
      'a content list with a lower class',
      AV,
      stoppedScanner,
      {},
      { listedClass: 'read' },
      'rejected',
      'runbook_class_differs',
    ],
    ['an order to undo', FIREWALL, changedFilter, { action: 'rollback' }, {}, 'rejected', 'runbook_nothing_to_change'],
  ])('with %s asks no helper', (_name, id, machine, request, circumstances, outcome, code) =>
    onAppliance(machine, async (lab) => {
      lab.circumstances = { ...lab.circumstances, ...circumstances };
      expect(await lab.run(id, request)).toMatchObject({ outcome, code });
      expect(lab.asked).toEqual([]);
      expect(lab.store.runs.list(9)).toEqual([]);
    }),
  );

  it.each([
    [FIREWALL, changedFilter, 'sign another baseline'],
    [AV, stoppedScanner, 'a protection that was started stays on'],
  ] as const)(
    'ordered back after %s was confirmed changes nothing, and says what to do in its place',
    (id, machine, says) =>
      onAppliance(machine, async (lab) => {
        lab.onHelper = heals(lab);
        expect(await lab.run(id)).toMatchObject({ outcome: 'success' });
        const { asked } = lab;
        const before = asked.length;
        const result = await lab.run(id, { action: 'rollback' });
        expect(result).toMatchObject({ outcome: 'rejected', code: 'runbook_nothing_to_change' });
        expect(result.sentence).toContain(says);
        expect(asked).toHaveLength(before);
      }),
  );

  it('waits for the window where it is disruptive, for a sound clock, and for its cool-down', () =>
    onAppliance(stoppedScanner, async (lab) => {
      const shipped = shippedRunbook(AV);
      const runbook = { ...shipped.runbook, disruptive: true, window: 'maintenance' as const };
      const loaded = { ...shipped, runbook };
      lab.circumstances = { ...lab.circumstances, listedClass: 'disruptive', windowOpen: false };
      expect(await lab.run(AV, { loaded })).toMatchObject({ outcome: 'deferred', code: 'runbook_window_closed' });
      lab.circumstances = { ...lab.circumstances, windowOpen: true, clockSound: false };
      expect(await lab.run(AV, { loaded })).toMatchObject({ outcome: 'deferred', code: 'runbook_clock_unsound' });
      expect(lab.asked).toEqual([]);
      lab.circumstances = { ...lab.circumstances, clockSound: true };
      expect(await lab.run(AV, { loaded })).toMatchObject({ outcome: 'failed' });
      expect(await lab.run(AV, { loaded })).toMatchObject({ outcome: 'deferred', code: 'runbook_cooling_down' });
      expect(lab.asked).toHaveLength(1);
    }));

  it('changes nothing on the appliance where healing was paused since it was asked for', () =>
    onAppliance(stoppedScanner, async (lab) => {
      lab.circumstances = { ...lab.circumstances, healingPaused: true };
      expect(await lab.run(AV)).toMatchObject({ outcome: 'deferred', code: 'order_healing_paused' });
      expect([lab.asked, lab.store.runs.list(9)]).toEqual([[], []]);
      expect(await lab.run(AV, { dryRun: true })).toMatchObject({ outcome: 'dry_run' });
    }));

  it('changes nothing while a Windows target is being changed', () =>
    onAppliance(stoppedScanner, async (lab) => {
      const release = lab.deps.locks.tryChange();
      expect(await lab.run(AV)).toMatchObject({ outcome: 'deferred', code: 'target_busy' });
      release?.();
      lab.onHelper = heals(lab);
      expect(await lab.run(AV)).toMatchObject({ outcome: 'success' });
    }));
});
