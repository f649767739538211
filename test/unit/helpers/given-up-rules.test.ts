import { describe, expect, it } from 'vitest';
import { givenUpAtHome } from '../../../agent/daemon/given-up-at-home.ts';
import { indexRules } from '../../../agent/healing/rule-index.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { stepLearnt, takeUpLearnt } from '../../../agent/healing/learning/learnt-rules.ts';
import { afterRun } from '../../../agent/healing/learning/trial.ts';
import { encodeGivenUp, judgeGivenUp, MAX_GIVEN_UP_BYTES } from '../../../agent/helpers/given-up-rules.ts';
import { parseHelperState } from '../../../agent/helpers/helper-state.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { withLog } from '../../support/evidence-fixtures.ts';
import { expectCode } from '../../support/expect-code.ts';
import { healSite, RULE } from '../../support/heal-fixtures.ts';
import { ruleText } from '../../support/rule-fixtures.ts';

const FROM = 'ab'.repeat(32);
const learnt = Buffer.from(ruleText({ id: 'learnt-one', source: 'promoted', learnt_from: FROM }));
const own = Buffer.from(ruleText({ id: 'own-rule' }));
const site = healSite();
const grant = (rule: Buffer, scope: 'appliance' | 'targets' = 'appliance') =>
  site.grant(site.runbooks.av, { rule: { id: 'learnt-one', sha256: sha256Hex(rule) }, scope });
const judge = (rules: readonly Buffer[], grants = [grant(learnt)], known: readonly string[] = []) =>
  judgeGivenUp(encodeGivenUp(rules), { grants }, known);

describe('rules that are given up', () => {
  it('are the learnt ones that a grant for the appliance names, once each, beside those of before', () => {
    expect(judge([learnt, learnt])).toEqual([sha256Hex(learnt)]);
    expect(judge([learnt], [grant(learnt)], [sha256Hex(learnt), RULE.sha256])).toEqual([
      sha256Hex(learnt),
      RULE.sha256,
    ]);
    // Handed over or not, and in whatever list: nothing gives a rule back.
    expect(judgeGivenUp(null, null, [RULE.sha256])).toEqual([RULE.sha256]);
    expect(judge([], [], [RULE.sha256])).toEqual([RULE.sha256]);
  });

  it('are none that people wrote, none for targets, none that nobody signed, and none but for its bytes', () => {
    expect(judge([own], [grant(own)])).toEqual([]);
    expect(judge([learnt], [grant(learnt, 'targets')])).toEqual([]);
    expect(judge([learnt], [])).toEqual([]);
    expect(judgeGivenUp(encodeGivenUp([learnt]), null, [])).toEqual([]);
    // Said to be learnt by whoever has the daemon: those are other bytes than were signed.
    const said = Buffer.from(own.toString().replace('source: site', 'source: promoted'));
    expect(judge([said], [grant(own)])).toEqual([]);
  });

  it('come in a file of one form and size, and what does not fit takes nothing away', () => {
    const bad = ['{}', '[]', '{"schema":"compliance-agent/given-up-rules/v1","rules":[1]}'];
    for (const text of bad) expectCode(() => judgeGivenUp(Buffer.from(text), null, []), 'helper_request_invalid');
    expectCode(() => judgeGivenUp(Buffer.from('rules'), null, []), 'json_not_strict');
    const large = Buffer.alloc(MAX_GIVEN_UP_BYTES + 1, 0x20);
    expectCode(() => judgeGivenUp(large, null, []), 'json_too_large');
    expect(encodeGivenUp([])).toBeNull();
    const many = encodeGivenUp(Array.from({ length: 100 }, (_, n) => Buffer.alloc(6_000, 0x61 + (n % 26))));
    expect(many!.length).toBeLessThanOrEqual(MAX_GIVEN_UP_BYTES);
  });

  it('are none in what an older agent remembered', () => {
    const heal = { orders: null, used: [], seen: [], runs: [] };
    const state = { schema: 'compliance-agent/helper-state/v1', time: null, runs: {}, slot: null, heal };
    expect(parseHelperState(JSON.stringify(state), 'state.json').heal.given_up).toEqual([]);
  });

  it('are those of the appliance that the daemon has demoted', () =>
    withLog(({ store, log }) => {
      const rule = parseRule(learnt, 'rule.yaml');
      const index = indexRules([rule, parseRule(own, 'own.yaml')]);
      const context = { store, healing: { rules: { index } } };
      const deps = { store, evidence: log };
      store.content.write(learnt);
      takeUpLearnt(deps, index, () => true, 1_780_315_200);
      expect(givenUpAtHome(context)).toEqual([]);
      stepLearnt(deps, rule.sha256, (one) => afterRun(one, false));
      expect(givenUpAtHome(context)).toEqual([{ sha256: rule.sha256, bytes: learnt }]);
      // One for Windows is no helper's business.
      const elsewhere = { ...index, learnt: [{ ...rule, file: { ...rule.file, platform: 'windows' as const } }] };
      expect(givenUpAtHome({ store, healing: { rules: { index: elsewhere } } })).toEqual([]);
    }));
});
