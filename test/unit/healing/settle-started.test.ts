// A run whose act goes on by itself (a backup, an update) ends when a look sees what came of it: then its incident does, and a learnt
// rule that began it is held to it.
import { describe, expect, it } from 'vitest';
import { incidentOf, recordDrift, recordStep } from '../../../agent/healing/incident-store.ts';
import { learntRules, takeUpLearnt } from '../../../agent/healing/learning/learnt-rules.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { settleStarted } from '../../../agent/healing/settle-started.ts';
import { withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { ruleText } from '../../support/rule-fixtures.ts';

const T = 1_800_000_000;
const ID = '019e0000-0000-7000-8000-0000000000c1';
const rule = parseRule(
  Buffer.from(ruleText({ id: 'learnt-one', source: 'promoted', learnt_from: 'ab'.repeat(32) })),
  'rule.yaml',
);

/** An incident whose run was started by the rule of this digest, and goes on by itself. */
function started({ store, log }: OpenLog, ruleSha256: string | null): void {
  takeUpLearnt({ store, evidence: log }, indexRules([rule]), () => true, T);
  const key = { targetId: 'appliance', checkId: 'backup', condition: 'learnt-one' };
  recordDrift(store, () => ID, key, { at: T, seq: 1, sentence: 'stale', rule: ruleSha256, severity: 'high' });
  recordStep(store, ID, { event: 'intent', at: T, runbook: 'RB-APP-BACKUP-001' });
  recordStep(store, ID, { event: 'changed', at: T });
}
const trial = ({ store }: OpenLog) => [...learntRules(store).values()].map(({ state, outcomes }) => [state, outcomes]);
const stateOf = ({ store }: OpenLog) => incidentOf(store.incidents.get(ID)!).state;
const settle = (open: OpenLog, outcome: 'success' | 'failed' | 'reverted', incidentId: string | null = ID) =>
  settleStarted({ store: open.store, evidence: open.log }, { incidentId, outcome, seq: 2 }, T + 900);

describe('what came of a run that went on by itself', () => {
  it.each([
    ['success', 'healed', 'canary', true],
    ['failed', 'seen', 'demoted', false],
    ['reverted', 'seen', 'demoted', false],
  ] as const)(
    'as %s ends its incident as %s and counts for the learnt rule, which is %s then',
    (end, state, now, held) =>
      withLog((open) => {
        started(open, rule.sha256);
        settle(open, end);
        expect([stateOf(open), trial(open)]).toEqual([state, [[now, [held]]]]);
      }),
  );

  it('counts for the rule also where a look has called the incident healed before', () =>
    withLog((open) => {
      started(open, rule.sha256);
      recordStep(open.store, ID, { event: 'result', outcome: 'healed', at: T + 60 });
      settle(open, 'reverted');
      expect([stateOf(open), trial(open)]).toEqual(['healed', [['demoted', [false]]]]);
    }));

  it('says nothing of a learnt rule that did not begin it, and nothing where it was the run of people', () =>
    withLog((open) => {
      started(open, null);
      settle(open, 'failed');
      settle(open, 'failed', null);
      expect([stateOf(open), trial(open)]).toEqual(['seen', [['canary', []]]]);
    }));
});
