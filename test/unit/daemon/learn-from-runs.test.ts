// What the daemon counts of runs: which order carries out a plan, which drift a run was for, and how long it took to hold.
import { describe, expect, it } from 'vitest';
import type { AgentState } from '../../../agent/daemon/agent-state.ts';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import { learning, type LearntRun } from '../../../agent/daemon/learn-from-runs.ts';
import { recordEnd, recordIntent, type RunEnd, type RunHead } from '../../../agent/execution/record-run.ts';
import type { ExecutorDeps } from '../../../agent/execution/run-request.ts';
import { UNMATCHED } from '../../../agent/healing/incident-book.ts';
import { recordDrift, recordStep } from '../../../agent/healing/incident-store.ts';
import { learntRules, takeUpLearnt } from '../../../agent/healing/learning/learnt-rules.ts';
import { incidentOfPlan, type OrderedRun } from '../../../agent/healing/learning/match-plan.ts';
import { patternOf } from '../../../agent/healing/learning/pattern.ts';
import { statisticsOf } from '../../../agent/healing/learning/statistics.ts';
import { jcsDigest } from '../../../agent/wire/jcs.ts';
import { openLog, statementsOf, withDir, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { AV, AV_FACTS, subject } from '../../support/planner-fixtures.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { ruleText } from '../../support/rule-fixtures.ts';
import { NOW, uuidOf } from '../../support/trust-fixtures.ts';

const TARGET = 'front-desk-1';
const INCIDENT = uuidOf(40);
const PARAMS = { max_signature_days: 5 };
const DRIFT = subject().finding;
const PATTERN = patternOf('windows', DRIFT)!;
const PASS = { ...DRIFT, result: 'pass' as const };
const HEAD: RunHead = {
  ...{ target: DRIFT.target, controls: [], link: { incident_id: INCIDENT }, pre_state: {}, actions: [] },
  ...{ runbook: { id: AV.runbook.id, version: 1, sha256: AV.sha256 }, plan_digest: null, rollback_available: true },
};
const END: RunEnd = { outcome: 'success', code: null, postState: null, used: null };
const RUN: LearntRun = {
  ...{ incidentId: INCIDENT, targetId: TARGET, checkId: 'windows_av', tier: 'l2', params: PARAMS, ruleSha256: null },
  runbook: { id: AV.runbook.id, sha256: AV.sha256 },
};

let begun = 0;

function lab({ store, log, clock }: OpenLog, run: LearntRun = RUN) {
  const findings = new Map([[`${TARGET}/windows_av`, DRIFT]]);
  store.trust.saveSignedTime({ serverTime: NOW, bootMs: clock.bootMs(), bootId: clock.bootId() });
  const said = memoryLog();
  const state = { findings } as Partial<AgentState> as AgentState;
  const context = { store, clock, state, log: said } as Partial<DaemonContext> as DaemonContext;
  const plain = { store, evidence: log, recordFindings: () => undefined } as Partial<ExecutorDeps> as ExecutorDeps;
  const deps = learning(plain, context, run);
  return {
    findings,
    said,
    deps,
    begin(): string {
      const runId = uuidOf(500 + begun++);
      recordIntent(deps, { runId, action: 'remediate', snapshot: {}, at: NOW + begun }, HEAD);
      return runId;
    },
    end: (runId: string | null, end: Partial<RunEnd> = {}) => recordEnd(deps, runId, HEAD, { ...END, ...end }, NOW + 9),
    later: (ms: number) => clock.advance(ms),
    cases: () => store.learning.cases(PATTERN.sha256),
    statistics: () => statisticsOf(store.learning.cases(PATTERN.sha256)),
  };
}

describe('a run that is learnt from', () => {
  it('counts once with its entry, for the drift as it was right before, in the time until it was first seen in order', () =>
    withLog(async (open) => {
      const l = lab(open);
      const runId = l.begin();
      l.findings.set(`${TARGET}/windows_av`, PASS);
      await l.later(7_000);
      l.deps.recordFindings([PASS]);
      await l.later(600_000);
      l.deps.recordFindings([PASS]);
      l.end(runId);
      expect(l.statistics().remedies).toMatchObject([{ tried: 1, verified: 1, l2Verified: 1, meanMs: 7_000 }]);
      expect(l.cases()).toMatchObject([
        { caseKey: `run/${runId}`, incidentId: INCIDENT, params: '{"max_signature_days":5}' },
      ]);
    }));

  it('is timed to the last time that it came right, and to its end where no look passed', () =>
    withLog(async (open) => {
      const l = lab(open);
      const one = l.begin();
      await l.later(1_000);
      l.deps.recordFindings([PASS]);
      await l.later(1_000);
      l.deps.recordFindings([DRIFT]);
      await l.later(3_000);
      l.deps.recordFindings([PASS, { ...PASS, check: { id: 'windows_ad', version: 1 } }]);
      l.end(one);
      expect(l.statistics().remedies).toMatchObject([{ meanMs: 5_000 }]);
      const two = l.begin();
      await l.later(9_000);
      l.end(two);
      expect(l.statistics().remedies).toMatchObject([{ meanMs: 7_000 }]);
    }));

  it('is no run that never began, that was cut off, or that was only tried out', () =>
    withDir((dir) => {
      const open = openLog(dir);
      const l = lab(open);
      l.end(null, { outcome: 'success' });
      const cutOff = l.begin();
      open.store.close();
      const next = openLog(dir, open.clock);
      const after = lab(next);
      after.end(cutOff, { outcome: 'failed', code: 'runbook_interrupted' });
      after.end(after.begin(), { outcome: 'deferred', code: 'runbook_started' });
      expect(after.cases()).toEqual([]);
      next.store.close();
    }));

  it('is not counted where its facts are not understood, and goes on all the same where learning has a defect', () =>
    withLog((open) => {
      const l = lab(open);
      l.findings.set(`${TARGET}/windows_av`, { ...DRIFT, facts: { ...AV_FACTS, note: 'what nobody declared' } });
      l.end(l.begin());
      expect(l.cases()).toEqual([]);
      const broken = lab(open, { ...RUN, params: { share: 0.5 } });
      broken.end(broken.begin());
      expect(broken.said.phrases()).toContain('not learnt from');
      const kinds = statementsOf(open.store).map(({ predicate }) => predicate.kind);
      expect(kinds.filter((kind) => kind === 'action')).toHaveLength(4);
    }));

  it('of a learnt rule takes the trial to its target, and ends it with the same entry where it does not hold', () =>
    withLog((open) => {
      const from = { source: 'promoted', learnt_from: PATTERN.sha256 } as const;
      const rule = parseRule(Buffer.from(ruleText({ id: 'learnt-one', ...from })), 'rule.yaml');
      takeUpLearnt({ store: open.store, evidence: open.log }, { learnt: [rule] }, () => true, NOW);
      const l = lab(open, { ...RUN, tier: 'l1', ruleSha256: rule.sha256 });
      const runId = l.begin();
      expect(learntRules(open.store).get(rule.sha256)).toMatchObject({ state: 'canary', targetId: TARGET });
      l.end(runId, { outcome: 'reverted', code: 'runbook_reverted' });
      expect(learntRules(open.store).get(rule.sha256)).toMatchObject({ state: 'demoted', outcomes: [false] });
      const kinds = statementsOf(open.store).map(({ predicate }) => predicate.kind);
      expect(kinds.slice(-3)).toEqual(['action', 'action', 'learning']);
      expect(l.statistics().remedies).toMatchObject([{ tried: 1, verified: 0, l2Verified: 0 }]);
    }));
});

describe('an order of people', () => {
  const RUN_OF: OrderedRun = {
    ...{ platform: 'windows', targetId: TARGET, checkId: 'windows_av', runbookSha256: AV.sha256, params: PARAMS },
  };
  /** Drift that is with people, and what a planner proposed about it. */
  function proposed({ store }: OpenLog, condition = UNMATCHED): string {
    const key = { targetId: TARGET, checkId: 'windows_av', condition };
    const { id } = recordDrift(store, () => INCIDENT, key, { at: NOW, severity: 'high', sentence: 'it is off' });
    const plan = {
      ...{ planId: uuidOf(9), runbook: { id: AV.runbook.id, version: 1, sha256: AV.sha256 }, params: PARAMS },
      ...{ alternatives: [], rationale: '', llm: { model: 'm', prompt_sha256: FROM, output_sha256: FROM } },
    };
    store.planner.put({
      ...{ callId: uuidOf(8), endpoint: 'local', model: 'm', state: 'ended', code: null, tokens: 1, microCents: 0 },
      ...{ retryAt: null, promptSha256: FROM, outputSha256: FROM, plan: JSON.stringify(plan), at: NOW },
      findingKey: jcsDigest({ platform: 'windows', target: TARGET, check: 'windows_av', condition: UNMATCHED }),
    });
    return id;
  }
  const FROM = 'ab'.repeat(32);
  const of = ({ store }: OpenLog, more: Partial<OrderedRun> = {}) => incidentOfPlan(store, { ...RUN_OF, ...more });

  it('carries out the plan that was proposed for its target with its runbook and params, whatever order these come in', () =>
    withLog((open) => {
      const id = proposed(open);
      expect(of(open)).toBe(id);
      expect(of(open, { ticket: id })).toBe(id);
    }));

  it('is known by the ticket that it names, and by no other', () =>
    withLog((open) => {
      const id = proposed(open);
      const ticket = (name: string, check: string) => {
        const json = JSON.stringify({ id: name, key: `finding/${TARGET}/${check}` });
        open.store.tickets.put({ id: name, key: `finding/${TARGET}/${check}`, json }, []);
      };
      ticket(uuidOf(60), 'windows_av');
      ticket(uuidOf(61), 'windows_ad');
      expect(of(open, { ticket: uuidOf(60) })).toBe(id);
      expect([of(open, { ticket: uuidOf(61) }), of(open, { ticket: 'INC-1' })]).toEqual([null, null]);
    }));

  it.each<[string, Partial<OrderedRun>]>([
    ['other params', { params: { max_signature_days: 6 } }],
    ['another runbook', { runbookSha256: 'ff'.repeat(32) }],
    ['another target', { targetId: 'front-desk-2' }],
    ['another check', { checkId: 'windows_ad' }],
    ['another platform', { platform: 'appliance' }],
  ])('with %s is the work of people, and nothing is learnt from it', (_, more) =>
    withLog((open) => {
      proposed(open);
      expect(of(open, more)).toBeNull();
    }),
  );

  it('is the work of people where a rule fits the drift, where nothing was proposed, and where the incident is closed', () =>
    withLog((open) => {
      proposed(open, 'av-off');
      expect(of(open)).toBeNull();
    }));

  it('is the work of people once the incident is closed', () =>
    withLog((open) => {
      const id = proposed(open);
      recordStep(open.store, id, { event: 'pass', at: NOW + 1 });
      recordStep(open.store, id, { event: 'tick', at: NOW + 100_000 });
      expect(of(open)).toBeNull();
    }));
});
