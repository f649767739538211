// Healing one incident, on its ports.
import { describe, expect, it } from 'vitest';
import { giveUpWithoutLook } from '../../../agent/healing/incident-book.ts';
import type { Incident } from '../../../agent/healing/incident.ts';
import { blockedRunbooks, closeBreakers } from '../../../agent/healing/healing-memory.ts';
import { verdictOn, withLog } from '../../support/evidence-fixtures.ts';
import { content, NOON, policy } from '../../support/healing-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { HEAD, ID, RUNBOOK, drifted, lab, ruleOf } from '../../support/heal-lab.ts';

describe('healing one incident', () => {
  it('what was started on a target that is never looked at again goes to people a day and an hour later, and not before', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['deferred', 'runbook_started']);
      expect(await l.heal()).toBe('verifying');
      const record = (incident: Incident, sentence: string): number =>
        open.log.append('incident', {
          ...{ incident_id: incident.id, target: HEAD.target, check: { id: 'windows_av', version: 1 } },
          ...{ state: incident.state, sentence, opened_seq: incident.openedSeq, next_step_at: incident.nextStepAt },
        }).seq;
      const giveUp = (after: number) => giveUpWithoutLook({ store: open.store, record }, ID, l.at + after);
      giveUp(89_999);
      expect(l.incident().state).toBe('verifying');
      giveUp(90_000);
      giveUp(90_060);
      expect(l.incident()).toMatchObject({ state: 'ticketed', held: { guard: 'target' } });
      expect(l.story().slice(-2)).toEqual(['failed', 'ticketed']);
      expect(l.entries('incident').at(-1)).toMatchObject({ state: 'ticketed' });
    }));

  it('waits for a second look, acts with intent and result under its incident, and is healed by a look of its own', () =>
    withLog(async (open) => {
      const l = lab(open);
      l.see('fail');
      expect(await l.heal()).toBe('waiting');
      l.at += 300;
      l.see('fail');
      l.comes.push(['success', null]);
      expect(await l.heal()).toBe('healed');
      expect(l.story()).toEqual(['seen', 'waiting', 'acting', 'verifying', 'healed']);
      for (const line of open.store.incidents.lines(ID)) expect(line.evidenceSeq).not.toBeNull();
      expect(l.entries('action')).toMatchObject([
        { phase: 'intent', incident_id: ID },
        { phase: 'result', incident_id: ID, outcome: 'success' },
      ]);
      expect(l.entries('incident')).toContainEqual(
        expect.objectContaining({
          state: 'acting',
          sentence: 'the rule av-off and the grant grant-aa let RB-WIN-AV-001 be run',
        }),
      );
      expect(verdictOn(open.store).ok).toBe(true);
    }));

  it('pauses after a run that did not hold, tries again, and gives up to people after as many as its rule allows', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['reverted', 'runbook_reverted'], ['failed', 'runbook_not_verified']);
      expect(await l.heal()).toBe('seen');
      expect(await l.heal()).toBe('waiting');
      expect(l.incident().held?.guard).toBe('attempts');
      l.at = l.incident().nextStepAt ?? 0;
      await l.heal();
      l.at += 3_600;
      expect(await l.heal()).toBe('ticketed');
      expect(l.ran).toHaveLength(2);
      expect(l.incident().held).toMatchObject({ guard: 'attempts', sentence: '2 runs failed' });
    }));

  it('stops a runbook everywhere after a rollback that failed, until two persons enable healing', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['failed', 'runbook_rollback_failed']);
      expect(await l.heal()).toBe('ticketed');
      expect(blockedRunbooks(open.store)).toEqual(new Set([RUNBOOK]));
      expect(closeBreakers(open.store)).toBe(1);
      expect(blockedRunbooks(open.store).size).toBe(0);
    }));

  it.each([
    ['healing is paused by hand', 'pause', () => ({ pausedUntil: { byOrder: null, byHand: NOON + 7_200 } })],
    ['the grant is taken back', 'authority', () => ({ content: { ...content, grants: [] } })],
    ['another log contradicts its own', 'evidence', () => ({ evidenceReady: false })],
  ] as const)('changes nothing where %s while the run waits for its target and looks', (_what, guard, then) =>
    withLog(async (open) => {
      const l = drifted(open);
      l.meanwhile = () => (l.facts = then());
      l.comes.push(['success', null]);
      await l.heal();
      expect([l.ran.length, l.entries('action'), open.store.runs.allSince(0)]).toEqual([1, [], []]);
      await l.heal();
      expect([l.ran.length, l.incident().held?.guard]).toEqual([1, guard]);
    }),
  );

  it('calls nothing healed that goes on by itself while the check fails in another way', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['deferred', 'runbook_started']);
      expect(await l.heal()).toBe('verifying');
      l.rule = ruleOf({ id: 'av-other' });
      l.at += 3_600;
      l.see('fail', 'something else is off');
      expect([l.incident().state, l.story()]).toEqual(['verifying', expect.not.arrayContaining(['healed'])]);
      l.at += 86_400;
      l.see('fail', 'something else is off');
      expect(l.story().slice(-2)).toEqual(['failed', 'passing']);
    }));

  it('only says what it would do in a dry run, and that is no heal and no attempt', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.facts = { policy: { ...policy, healing: { mode: 'dry_run', runbooks: [] } } };
      l.comes.push(['dry_run', 'runbook_dry_run']);
      expect(await l.heal()).toBe('ticketed');
      expect(l.ran.map(({ dryRun }) => dryRun)).toEqual([true]);
      expect(l.story().at(-1)).toBe('dry_run');
      expect(open.store.runs.allSince(0)).toEqual([]);
      expect(l.entries('action')).toMatchObject([{ phase: 'result', outcome: 'dry_run' }]);
    }));

  it('goes on by itself where a run left something to be done on the target: later looks say what came of it', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['deferred', 'runbook_started']);
      expect(await l.heal()).toBe('verifying');
      l.at += 3_600;
      l.see('fail');
      expect(l.incident().state).toBe('verifying');
      l.at += 3_600;
      l.see('pass');
      expect(l.incident().state).toBe('healed');
      l.at += 60;
      l.see('fail');
      l.at += 300;
      l.see('fail');
      l.comes.push(['deferred', 'runbook_started']);
      expect(await l.heal()).toBe('verifying');
      l.at += 86_400;
      l.see('fail');
      expect(l.story().at(-1)).toBe('failed');
    }));

  it.each([
    ['nothing fits the machine', ['rejected', 'runbook_not_applicable'], 'ticketed'],
    ['the target could not be read', ['failed', 'runbook_detect_unknown'], 'waiting'],
    ['something else manages it', ['alert', 'runbook_managed_elsewhere'], 'ticketed'],
  ] as const)('where %s: nothing is tried again blindly', (_what, comes, state) =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(comes);
      await l.heal();
      expect(l.incident().state).toBe(state);
      await l.heal();
      expect(l.ran).toHaveLength(1);
    }),
  );

  it.each([
    ['no rule', { runs: 'alert: somebody has to look' }, 'rule'],
    ['a runbook that is not held', { runs: 'runbook: RB-WIN-AV-002' }, 'validation'],
  ])('goes to people with %s', (_what, rule, guard) =>
    withLog(async (open) => {
      const l = lab(open);
      l.rule = ruleOf(rule);
      l.see('fail');
      expect(await l.heal()).toBe('ticketed');
      expect([l.incident().held?.guard, l.ran]).toEqual([guard, []]);
    }),
  );

  it('is judged by another policy as soon as it can be, also where its target was away when that came', () =>
    withLog(async (open) => {
      const l = drifted(open);
      const later = l.at + 86_400;
      l.facts = { pausedUntil: { byOrder: later, byHand: null } };
      expect(await l.heal()).toBe('waiting');
      expect(l.incident().nextStepAt).toBe(later);
      l.facts = {};
      l.at += 5;
      expect(await l.heal()).toBe('waiting');
      l.signed = 'policy 2';
      l.see('unknown', 'it does not answer');
      expect(await l.heal()).toBe('waiting');
      l.at += 5;
      l.see('fail');
      l.comes.push(['success', null]);
      expect(await l.heal()).toBe('healed');
    }));

  it('begins nothing where the run itself finds that the drift is gone before the change', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['success', null]);
      const { store } = open;
      // A look of the run's own passes before the intent is written.
      const before = l.ran.push.bind(l.ran);
      l.ran.push = (...given) => {
        l.see('pass');
        return before(...given);
      };
      expect(await l.heal()).toBe('passing');
      expect(store.runs.allSince(0)).toEqual([]);
      expect(l.entries('action')).toEqual([]);
      // What is thrown inside the unit of the intent, so that nothing is begun.
      expectCode(() => l.ran[0]!.watch.begins(), 'incident_overtaken');
    }));
});
