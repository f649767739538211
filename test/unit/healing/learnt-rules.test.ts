// What becomes of a learnt rule once it is signed: on trial, active, out of use by itself; kept over the end of a process.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { learntRules, stepLearnt, takeUpLearnt } from '../../../agent/healing/learning/learnt-rules.ts';
import {
  afterBegin,
  afterRun,
  afterTime,
  beginTrial,
  CANARY_S,
  MIN_HOLDS_PERCENT,
  NEWEST_RUNS,
  type LearntRule,
} from '../../../agent/healing/learning/trial.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { loadRules } from '../../../agent/healing/load-rules.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { openLog, statementsOf, withDir, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { ruleText } from '../../support/rule-fixtures.ts';

const T = 1_800_000_000;
const FROM = 'ab'.repeat(32);
const fresh = beginTrial({ id: 'learnt-one', version: 1, sha256: 'cd'.repeat(32), patternSha256: FROM }, T);
const ran = (rule: LearntRule, ...verified: boolean[]): LearntRule => verified.reduce(afterRun, rule);

describe('a learnt rule', () => {
  it('is on trial on the first target that it acts on, for 48 hours and until a heal of it was verified', () => {
    const begun = afterBegin(afterBegin(fresh, 'pc-1'), 'pc-2');
    expect(begun).toMatchObject({ state: 'canary', targetId: 'pc-1', until: T + CANARY_S });
    const good = ran(begun, true);
    expect(afterTime(good, T + CANARY_S - 1)).toBe(good);
    expect(afterTime(good, T + CANARY_S)).toMatchObject({ state: 'active' });
    // Nobody has seen it heal: the next trial begins, and any target may be the one.
    expect(afterTime(begun, T + CANARY_S)).toMatchObject({
      ...{ state: 'canary', targetId: null, until: T + 2 * CANARY_S },
    });
  });

  it('is out of use at once where it does not hold: four of five will do, three of four will not', () => {
    expect(ran(fresh, false).state).toBe('demoted');
    expect(ran(fresh, true, true, true, true, false).state).toBe('canary');
    expect(ran(fresh, true, true, true, false).state).toBe('demoted');
  });

  it('stays out of use whatever comes after, and is so exactly where its newest runs once fell below the share', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (outcomes) => {
        let rule = afterTime(ran(fresh, true), T + CANARY_S);
        const all = [true];
        let fell = false;
        for (const one of outcomes) {
          rule = afterTime(afterRun(rule, one), T + 9 * CANARY_S);
          all.push(one);
          const newest = all.slice(-NEWEST_RUNS);
          fell ||= newest.filter(Boolean).length * 100 < MIN_HOLDS_PERCENT * newest.length;
          expect(rule.state).toBe(fell ? 'demoted' : 'active');
        }
      }),
    );
  });
});

describe('learnt rules in force', () => {
  const text = (edits: Parameters<typeof ruleText>[0] = {}) =>
    ruleText({ id: 'learnt-one', source: 'promoted', learnt_from: FROM, ...edits });
  const made = (edits: Parameters<typeof ruleText>[0] = {}) => parseRule(Buffer.from(text(edits)), 'rule.yaml');
  const states = ({ store }: OpenLog) => [...learntRules(store).values()].map(({ state }) => state);
  const said = ({ store }: OpenLog) =>
    statementsOf(store).flatMap(({ predicate: p }) => (p.kind === 'learning' ? [[p.state, p.statistics, p.rule]] : []));
  const takeUp = (open: OpenLog, rules: ReturnType<typeof made>[], at = T, granted = true) =>
    takeUpLearnt({ store: open.store, evidence: open.log }, indexRules(rules), () => granted, at);
  const step = (open: OpenLog, sha256: string, verified: boolean) =>
    stepLearnt({ store: open.store, evidence: open.log }, sha256, (rule) => afterRun(rule, verified));

  it('begin their trial with the grant, and no rule that a person wrote does', () =>
    withLog((open) => {
      const rule = made();
      takeUp(open, [rule], T, false);
      expect(states(open)).toEqual([]);
      takeUp(open, [rule, parseRule(Buffer.from(ruleText({ id: 'own-rule', source: 'site' })), 'own.yaml')]);
      takeUp(open, [rule], T + 60);
      expect(states(open)).toEqual(['canary']);
      const { sha256 } = rule;
      expect(said(open)).toEqual([['canary', { tried: 0, verified: 0 }, { id: 'learnt-one', sha256 }]]);
    }));

  it('leave an entry for each step, and go on in the next process where the one before ended', () =>
    withDir((dir) => {
      const rule = made();
      const one = openLog(dir);
      takeUp(one, [rule]);
      step(one, rule.sha256, true);
      one.store.close();
      const two = openLog(dir, one.clock);
      takeUp(two, [rule], T + CANARY_S);
      for (const verified of [true, true, false]) step(two, rule.sha256, verified);
      two.store.close();
      const three = openLog(dir, one.clock);
      takeUp(three, [rule], T + 9 * CANARY_S);
      expect(states(three)).toEqual(['demoted']);
      expect(said(three).map(([state, numbers]) => [state, numbers])).toEqual([
        ['canary', { tried: 0, verified: 0 }],
        ['active', { tried: 1, verified: 1 }],
        ['demoted', { tried: 4, verified: 3 }],
      ]);
      three.store.close();
    }));

  it('stay demoted where the same bytes are signed again, and are tried anew in another version', () =>
    withLog((open) => {
      const rule = made();
      takeUp(open, [rule]);
      step(open, rule.sha256, false);
      takeUp(open, []);
      takeUp(open, [rule], T + 9 * CANARY_S);
      expect(states(open)).toEqual(['demoted']);
      takeUp(open, [made({ version: 2 })], T + 9 * CANARY_S);
      expect(states(open)).toEqual(['demoted', 'canary']);
    }));

  it('are refused where the file does not say what it was learnt from, so that none escapes its trial', () => {
    const sources = [text().replace(/learnt_from: .*\n/, ''), ruleText({ id: 'own-rule', learnt_from: FROM })];
    const { rules, refused } = loadRules(sources.map((one, n) => ({ place: `${n}.yaml`, bytes: Buffer.from(one) })));
    expect([rules, refused.map(({ code }) => code)]).toEqual([[], ['rule_invalid', 'rule_invalid']]);
  });
});
