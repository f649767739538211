// What drift has in common, what counts as having healed it, when that earns a rule, and what would become of the rule.
import { describe, expect, it } from 'vitest';
import { decide, decisionOn, draftOf } from '../../../agent/healing/learning/decisions.ts';
import { draftRule, ruleText } from '../../../agent/healing/learning/draft-rule.ts';
import { learntRules } from '../../../agent/healing/learning/learnt-rules.ts';
import { patternIn } from '../../../agent/healing/learning/pattern-store.ts';
import { patternOf } from '../../../agent/healing/learning/pattern.ts';
import {
  forgetCases,
  KEEP_CASES_S,
  recordOccurrence,
  recordResolution,
  type LearningDeps,
} from '../../../agent/healing/learning/record-case.ts';
import { judgeCandidate, statisticsOf } from '../../../agent/healing/learning/statistics.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { openLog, statementsOf, verdictOn, withDir, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { healed, pattern, resolution, seen } from '../../support/learning-fixtures.ts';
import { AV, AV_FACTS, LOGGING, subject } from '../../support/planner-fixtures.ts';
import { NOW, uuidOf } from '../../support/trust-fixtures.ts';

const depsOf = ({ store, log }: OpenLog): LearningDeps => ({ store, evidence: log });
const statistics = ({ store }: OpenLog) => statisticsOf(store.learning.cases(pattern.sha256));
const entries = (open: OpenLog) =>
  statementsOf(open.store).flatMap(({ predicate }) => (predicate.kind === 'learning' ? [predicate] : []));

describe('a pattern of drift', () => {
  const of = (facts: Record<string, unknown>, more: object = {}) =>
    patternOf('windows', subject({ facts: facts as never, ...more }).finding)?.sha256;

  it('is the same whatever the numbers, the target and the order of the facts are', () => {
    const turned = Object.fromEntries(Object.entries(AV_FACTS).toReversed());
    const other = { ...AV_FACTS, signature_days: 30, exclusions: 1 };
    const target = { id: 'another', role: 'workstation', os_build: '10.0.20348' };
    expect(new Set([of(AV_FACTS), of(turned), of(other), of(AV_FACTS, { target })]).size).toBe(1);
    expect(of(AV_FACTS)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each<[string, Record<string, unknown>, object]>([
    ['a fixed word', { ...AV_FACTS, defender: 'passive' }, {}],
    ['a truth value', { ...AV_FACTS, realtime: true }, {}],
    ['none in place of some', { ...AV_FACTS, exclusions: 0 }, {}],
    ['a fact that is not there', Object.fromEntries(Object.entries(AV_FACTS).slice(1)), {}],
    ['the role of the target', AV_FACTS, { target: { id: 'dc-1', role: 'domain_controller', os_build: null } }],
  ])('is another one with another %s', (_, facts, more) => expect(of(facts, more)).not.toBe(of(AV_FACTS)));

  it('knows the role of a target however it is written', () => {
    const on = (role: string) => of(AV_FACTS, { target: { id: 'srv-1', role, os_build: null } });
    expect(on('member-server')).toBe(on('member_server'));
    expect(on('member-server')).not.toBe(on('workstation'));
  });

  it('is another one on another check', () => {
    const on = (id: string) => patternOf('windows', subject({ check: { id, version: 1 }, facts: {} }).finding)?.sha256;
    expect(on('windows_av')).not.toBe(on('windows_ad'));
  });

  it('is not made of a finding with a value that is not known, or of a check without known facts', () => {
    expect(of({ ...AV_FACTS, product: 'Quillfeather Antivirus' })).toBeUndefined();
    expect(of({ ...AV_FACTS, note: 1 })).toBeUndefined();
    expect(of({}, { check: { id: 'my_own', version: 1 } })).toBeUndefined();
  });
});

describe('what is counted', () => {
  it.each<[string, string, string | null]>([
    ['a dry run', 'dry_run', null],
    ['a run that was cut off', 'failed', 'runbook_interrupted'],
    ['a run that was put off', 'deferred', 'runbook_window_closed'],
    ['a run that needs approval', 'needs_approval', null],
    ['a run that was refused', 'rejected', 'runbook_unknown'],
    ['a run that only told people', 'alert', null],
    ['an order that was too late', 'expired', null],
    ['a run whose target was not held', 'failed', 'target_not_held'],
    ['an outcome that nobody knows', 'fixed', null],
  ])('%s never is', (_, outcome, code) =>
    withLog((open) => {
      expect(recordResolution(depsOf(open), resolution(1, { result: { outcome, code } }))).toBe(false);
      expect(open.store.learning.cases(pattern.sha256)).toEqual([]);
    }),
  );

  it('a verified heal is a success, and a run that failed or was rolled back a failure', () =>
    withLog((open) => {
      const deps = depsOf(open);
      healed(deps, 1);
      healed(deps, 1, { result: { outcome: 'reverted', code: null } }, 1);
      healed(deps, 1, { result: { outcome: 'failed', code: 'runbook_rollback_failed' } }, 2);
      expect(statistics(open).remedies).toMatchObject([{ tried: 3, verified: 1, successPercent: 33 }]);
    }));

  it('is counted once however often it is told, also by the next process', () =>
    withDir((dir) => {
      const one = openLog(dir);
      for (const _ of [1, 2]) {
        seen(depsOf(one), 1);
        healed(depsOf(one), 1);
      }
      one.store.close();
      const open = openLog(dir, one.clock);
      seen(depsOf(open), 1);
      healed(depsOf(open), 1);
      recordOccurrence(depsOf(open), { pattern, incidentId: uuidOf(0), at: NOW + 90, time: 1 });
      expect(statistics(open)).toMatchObject({ occurrences: 2, remedies: [{ tried: 1 }] });
      expect(patternIn(open.store.learning.pattern(pattern.sha256)!)).toEqual(pattern);
      open.store.close();
    }));

  it('other params and another runbook are other remedies, whatever order the params come in', () =>
    withLog((open) => {
      const deps = depsOf(open);
      healed(deps, 2, { params: { a: 1, b: 2 } });
      healed(deps, 1, { params: { b: 2, a: 1 } }, 2);
      healed(deps, 1, { params: { a: 1, b: 3 } }, 3);
      healed(deps, 1, { runbook: { id: 'RB-WIN-AV-001', sha256: 'ff'.repeat(32) }, params: { a: 1, b: 2 } }, 4);
      expect(statistics(open).remedies.map(({ verified }) => verified)).toEqual([3, 1, 1]);
    }));

  it('goes after 400 days, and a pattern with nothing left goes with it', () =>
    withLog((open) => {
      seen(depsOf(open), 1);
      forgetCases(open, NOW + KEEP_CASES_S);
      expect(open.store.learning.patterns(9)).toHaveLength(1);
      forgetCases(open, NOW + KEEP_CASES_S + 1);
      expect(open.store.learning.patterns(9)).toEqual([]);
    }));
});

describe('a candidate', () => {
  const verdictOf = (open: OpenLog) => judgeCandidate(statistics(open));

  it('was seen five times and healed three times by a plan, verified, in thirty seconds on average', () =>
    withLog((open) => {
      seen(depsOf(open), 5);
      healed(depsOf(open), 3, { durationMs: 30_000 });
      expect(verdictOf(open)).toMatchObject({ candidate: true, remedy: { l2Verified: 3, meanMs: 30_000 } });
    }));

  const short: readonly (readonly [string, (deps: LearningDeps) => void])[] = [
    ['seen four times', (deps) => (seen(deps, 4), healed(deps, 9))],
    ['healed twice by a plan', (deps) => (seen(deps, 9), healed(deps, 2), healed(deps, 9, { tier: 'l1' }, 2))],
    [
      'healed three times by three remedies',
      (deps) => (seen(deps, 9), [1, 2, 3].forEach((n) => healed(deps, 1, { params: { n } }, n))),
    ],
    [
      'verified in 8 of 9 tries',
      (deps) => (
        seen(deps, 9),
        healed(deps, 1, { result: { outcome: 'reverted', code: null } }),
        healed(deps, 8, {}, 1)
      ),
    ],
    ['healed a millisecond too slowly', (deps) => (seen(deps, 9), healed(deps, 3, { durationMs: 30_001 }))],
    ['healed in a time that nobody took', (deps) => (seen(deps, 9), healed(deps, 3, { durationMs: null }))],
    ['only tried out', (deps) => (seen(deps, 9), healed(deps, 9, { result: { outcome: 'dry_run', code: null } }))],
    ['never healed', (deps) => seen(deps, 9)],
  ];
  it.each(short)('is nothing that was %s', (_, make) =>
    withLog((open) => {
      make(depsOf(open));
      expect(verdictOf(open).candidate).toBe(false);
      expect(entries(open)).toEqual([]);
    }),
  );

  it('has verified exactly nine of ten tries and is one', () =>
    withLog((open) => {
      seen(depsOf(open), 5);
      healed(depsOf(open), 9);
      healed(depsOf(open), 1, { result: { outcome: 'failed', code: null } }, 9);
      expect(verdictOf(open)).toMatchObject({ candidate: true, remedy: { successPercent: 90 } });
    }));

  it('is entered into the log when it becomes one, with its statistics', () =>
    withLog((open) => {
      seen(depsOf(open), 5);
      healed(depsOf(open), 5);
      expect(entries(open)).toMatchObject([
        {
          pattern_sha256: pattern.sha256,
          state: 'candidate',
          statistics: { occurrences: 5, tried: 3, verified: 3, l2_verified: 3, mean_ms: 12_000 },
        },
      ]);
      expect(verdictOn(open.store).size).toBe(statementsOf(open.store).length);
    }));
});

describe('what people say of a candidate', () => {
  const runbookOf = (sha256: string) => (sha256 === AV.sha256 ? AV.runbook : null);
  const say = (open: OpenLog, state: 'approved' | 'rejected', ruleSha256: string | null, at = NOW) =>
    decide({ store: open.store, evidence: open.log, runbookOf }, pattern.sha256, { state, ruleSha256 }, at);
  const draft = (open: OpenLog) => {
    const made = draftOf(open.store, pattern.sha256, runbookOf);
    if (typeof made === 'string') throw new Error(made);
    return made;
  };
  const candidate = (open: OpenLog) => (seen(depsOf(open), 5), healed(depsOf(open), 3));

  it('is an entry, with the digest of the very rule that would be signed, and puts nothing into force', () =>
    withLog((open) => {
      candidate(open);
      const { sha256, text, id } = draft(open);
      expect(parseRule(Buffer.from(text), 'draft.yaml')).toMatchObject({
        sha256,
        file: { learnt_from: pattern.sha256 },
      });
      expect(say(open, 'approved', sha256)).toBeNull();
      expect(entries(open).at(-1)).toMatchObject({ state: 'approved', rule: { id, sha256 } });
      expect(learntRules(open.store).size).toBe(0);
      expect(verdictOn(open.store).size).toBe(statementsOf(open.store).length);
    }));

  it('is not taken for another draft, for no candidate, for no pattern, or twice within a minute', () =>
    withLog((open) => {
      seen(depsOf(open), 5);
      expect(say(open, 'approved', 'ff'.repeat(32))).toContain('nothing has healed it');
      healed(depsOf(open), 3);
      expect(say(open, 'approved', 'ff'.repeat(32))).toContain('another one');
      const unknown = { store: open.store, evidence: open.log, runbookOf };
      expect(decide(unknown, '00'.repeat(32), { state: 'rejected', ruleSha256: null }, NOW)).toContain(
        'no such pattern',
      );
      expect(say(open, 'rejected', null)).toBeNull();
      expect(say(open, 'approved', draft(open).sha256, NOW + 59)).toContain('less than a minute');
      expect(entries(open).map(({ state }) => state)).toEqual(['candidate', 'rejected']);
    }));

  it('keeps one that was rejected from being announced again', () =>
    withLog((open) => {
      seen(depsOf(open), 1);
      expect(say(open, 'rejected', null)).toBeNull();
      candidate(open);
      expect(entries(open).map(({ state }) => state)).toEqual(['rejected']);
      expect(decisionOn(open.store, pattern.sha256)).toMatchObject({ state: 'rejected' });
    }));

  it('that no program wrote so is damage, and is said so', () =>
    withLog(({ store }) => {
      store.settings.set('healing.learning_decisions', '{"x":{"state":"fine"}}');
      expectCode(() => decisionOn(store, 'x'), 'store_corrupt');
      store.settings.set('healing.learnt_rules', '{"x":{"state":"fine"}}');
      expectCode(() => learntRules(store), 'store_corrupt');
    }));
});

describe('the rule that a candidate would make', () => {
  const draft = (facts = AV_FACTS) => {
    const made = patternOf('windows', subject({ facts }).finding)!;
    const remedy = { runbookId: AV.runbook.id, runbookSha256: AV.sha256, params: '{"max_signature_days":5}' };
    const numbers = { tried: 3, verified: 3, l2Verified: 3, successPercent: 100, meanMs: 9_000 };
    return draftRule(made, { ...remedy, ...numbers }, AV.runbook);
  };
  const ruleOf = (facts = AV_FACTS) => {
    const made = draft(facts);
    if (typeof made === 'string') throw new Error(made);
    return parseRule(Buffer.from(ruleText(made)), 'draft.yaml');
  };
  const fires = (facts: typeof AV_FACTS, role = 'workstation') => {
    const { finding } = subject({ facts });
    const about = { platform: 'windows', check: 'windows_av', result: 'fail', severity: 'high', role } as const;
    const index = indexRules([ruleOf()]);
    return index.match({ ...about, facts: finding.facts, readAt: NOW, failingSince: NOW - 600 }, NOW) !== null;
  };

  it('is a rule without mistakes, with every common condition, and fires for the drift that it was learnt from', () => {
    expect(fires(AV_FACTS)).toBe(true);
    expect(fires({ ...AV_FACTS, signature_days: 40 })).toBe(true);
    expect(ruleOf().file).toMatchObject({
      runbook: 'RB-WIN-AV-001',
      params: { max_signature_days: 5 },
      source: 'promoted',
    });
  });

  it('does not fire once any one of its conditions does not hold', () => {
    for (const [key, value] of Object.entries(AV_FACTS)) {
      if (key === 'role') continue;
      const other = typeof value === 'boolean' ? !value : typeof value === 'number' ? (value === 0 ? 1 : 0) : 'none';
      expect(fires({ ...AV_FACTS, [key]: other }), key).toBe(false);
    }
    expect(fires(AV_FACTS, 'domain_controller')).toBe(false);
  });

  it('of drift in which a fact said nothing does not fire once it says something', () => {
    const [key, value] = Object.entries(AV_FACTS).find(([, one]) => typeof one === 'number')!;
    const nothing = { ...AV_FACTS, [key]: null };
    const index = indexRules([parseRule(Buffer.from(ruleText(draft(nothing) as never)), 'draft.yaml')]);
    const about = { platform: 'windows', check: 'windows_av', result: 'fail', severity: 'high' } as const;
    const fired = (facts: typeof AV_FACTS): boolean => {
      const { finding } = subject({ facts });
      const more = { role: 'workstation', facts: finding.facts, readAt: NOW, failingSince: NOW - 600 };
      return index.match({ ...about, ...more }, NOW) !== null;
    };
    expect([fired(nothing), fired({ ...AV_FACTS, [key]: value })]).toEqual([true, false]);
  });

  it('is not drafted without its runbook, or for what its runbook does not heal', () => {
    const remedy = { runbookId: 'RB-WIN-AV-001', runbookSha256: AV.sha256, params: '{}', tried: 3, verified: 3 };
    const whole = { ...remedy, l2Verified: 3, successPercent: 100, meanMs: 1 };
    expect(draftRule(pattern, whole, null)).toEqual(expect.any(String));
    expect(draftRule(pattern, whole, LOGGING.runbook)).toEqual(expect.any(String));
  });
});

it('a pattern that no program wrote so is damage, and is said so', () => {
  const row = { patternSha256: pattern.sha256, platform: 'windows', checkId: 'windows_av', firstAt: NOW };
  expectCode(() => patternIn({ ...row, shape: '{"role":1}' }), 'store_corrupt');
  expectCode(() => patternIn({ ...row, platform: 'amiga', shape: '{"role":"x","facts":{}}' }), 'store_corrupt');
});
