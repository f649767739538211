// What findings do to incidents, and what another policy does.
import { describe, expect, it } from 'vitest';
import { forgetStarted, rememberStarted } from '../../../agent/execution/appliance/started-runs.ts';
import { noteFinding } from '../../../agent/healing/incident-book.ts';
import { atNewGrounds, siteBreakers } from '../../../agent/healing/healing-memory.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { finding as anyFinding, withLog } from '../../support/evidence-fixtures.ts';
import { policy } from '../../support/healing-fixtures.ts';
import { drifted, HEAD, lab, ruleOf, RUNBOOK } from '../../support/heal-lab.ts';

describe('what a finding does to its incidents', () => {
  it('drift that a changed rule fits is judged anew, and its earlier attempts no longer count', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.facts = { policy: { ...policy, healing: { mode: 'off', runbooks: [] } } };
      expect(await l.heal()).toBe('ticketed');
      l.rule = ruleOf({ title: 'Another version of it' });
      l.at += 60;
      l.see('fail');
      expect(l.incident()).toMatchObject({ state: 'seen', attemptsFrom: l.at, seenAt: [l.at] });
      expect(l.story()).toEqual(['seen', 'ticketed', 'rearmed']);
    }));

  it('a look from before a run ended, recorded after it, does not say that drift came back; the next one does', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['success', null]);
      expect(await l.heal()).toBe('healed');
      l.at += 5;
      l.see('fail', 'protection is off', l.at - 6);
      expect(l.incident()).toMatchObject({ state: 'healed', recurredAt: [] });
      l.see('fail');
      expect(l.incident()).toMatchObject({ state: 'seen', recurredAt: [l.at] });
    }));

  it('a wall clock that was set back keeps drift that came back away for an hour at most', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['success', null]);
      expect(await l.heal()).toBe('healed');
      l.at += 3_600;
      l.see('fail', 'protection is off', l.at - 365 * 86_400);
      expect(l.incident().recurredAt).toEqual([l.at]);
    }));

  it('a pass says nothing of a run that is still looked after: an update may yet go back', () =>
    withLog(async (open) => {
      const l = drifted(open);
      l.comes.push(['deferred', null]);
      await l.heal();
      expect(l.incident().state).toBe('verifying');
      const [run] = open.store.runs.allSince(0);
      rememberStarted(open.store, { runId: run!.runId, at: l.at });
      l.at += 60;
      l.see('pass');
      expect(l.incident().state).toBe('verifying');
      forgetStarted(open.store, run!.runId);
      l.see('pass');
      expect(l.incident().state).toBe('healed');
    }));

  it('what passes for 24 hours is closed with an entry, what is unknown meanwhile begins them anew', () =>
    withLog((open) => {
      const l = lab(open);
      l.see('fail');
      l.see('pass');
      l.at += 80_000;
      l.see('unknown');
      l.at += 80_000;
      l.see('pass');
      expect(l.incident().state).toBe('passing');
      l.at += 86_400;
      l.see('pass');
      expect(l.incident().state).toBe('closed');
      expect(l.entries('incident').at(-1)).toMatchObject({ state: 'closed' });
    }));

  it('the second look makes drift one that needs its runbook, and two machines within an hour open the breaker', () =>
    withLog((open) => {
      const l = lab(open);
      l.see('fail');
      expect(siteBreakers(open.store).get(RUNBOOK)).toBeUndefined();
      l.at += 300;
      l.see('fail');
      expect(siteBreakers(open.store).get(RUNBOOK)).toMatchObject({ openedAt: null, needs: [{ targetId: 'pc-1' }] });
      const other = anyFinding({
        ...{ target: { ...HEAD.target, id: 'pc-2' }, check: { id: 'windows_av', version: 1 }, result: 'fail' },
        ...{ facts: {}, sentence: 'protection is off' },
      });
      const deps = {
        ...{ store: open.store, newId: () => '019e0000-0000-7000-8000-0000000000c2' },
        ...{ index: indexRules([l.rule]), record: () => 0 },
      };
      for (const later of [0, 300]) noteFinding(deps, other, 0, l.at + later);
      expect(siteBreakers(open.store).get(RUNBOOK)?.openedAt).toBe(l.at + 300);
    }));

  it('another policy or content list is noticed once, and again where what follows from it was cut off', () =>
    withLog(({ store }) => {
      const dies = (): never => expect.fail('killed');
      expect(() => atNewGrounds(store, 'a', dies)).toThrow('killed');
      const noticed: string[] = [];
      for (const grounds of ['a', 'a', 'b']) atNewGrounds(store, grounds, () => noticed.push(grounds));
      expect(noticed).toEqual(['a', 'b']);
    }));
});
