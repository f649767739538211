// Error codes of healing.
import { code } from '../code-info.ts';

export const HEALING_CODES = {
  rule_invalid: code(
    2,
    false,
    'a healing rule has mistakes; the message names each with its line',
    'correct the named lines (docs/formats/rules.md describes the file); other rules are not affected',
  ),
  incident_unknown: code(
    2,
    false,
    'there is no incident with this id',
    'list them with compliance-agent incidents list',
  ),
  incident_overtaken: code(
    4,
    true,
    'what was about to be healed was no longer as it was judged',
    'nothing was changed and nothing has to be done: it is judged anew with the next look',
  ),
  healing_paused_by_hand: code(
    4,
    false,
    'somebody on the appliance has paused healing',
    'it goes on by itself when the pause is over; two persons can end it sooner with an order to enable healing',
  ),
  healing_nothing_to_rearm: code(
    4,
    false,
    'an order was to give back to healing what is not with people, or not stopped',
    'compliance-agent incidents list and compliance-agent healing status show what is',
  ),
  healing_memory_lost: code(
    4,
    false,
    'the log goes on in an epoch that nobody ordered: what was paused, stopped or counted before is lost',
    'nothing is healed by itself until two persons enable healing with an order; look first at what was paused or stopped',
  ),
  learning_no_rule: code(
    4,
    false,
    'no rule can be made of the pattern yet',
    'compliance-agent learning show says what it was and what is missing',
  ),
  learnt_rule_demoted: code(
    4,
    false,
    'a learnt rule did not hold often enough, and is not used any more',
    'see compliance-agent learning list; take rule and grant out of the content list, or sign a better version of the rule',
  ),
  pattern_unknown: code(
    2,
    false,
    'there is no pattern, or more than one, whose digest begins so',
    'list them with compliance-agent learning list',
  ),
  planner_off: code(
    3,
    false,
    'no language model is asked: the site policy names none that may be',
    'nothing needs to be done; docs/healing-planner.md says what a policy has to name',
  ),
  planner_no_runbook: code(
    3,
    false,
    'no language model is asked: the content list names no runbook that could heal this here',
    'a person has to look at the finding',
  ),
  planner_input_refused: code(
    4,
    false,
    'no language model is asked: the finding holds something that is not known to be free of names',
    'a person has to look at the finding; report the check that made it',
  ),
  planner_asked_before: code(
    3,
    true,
    'a language model was asked about this finding within a day, and no plan came of it',
    'a person has to look at the finding',
  ),
  planner_budget_spent: code(
    3,
    true,
    'the calls, tokens or money for language models are used up for now',
    'a person has to look at the finding; the site policy names the money of a day',
  ),
  planner_breaker_open: code(
    3,
    true,
    'a language model failed several times or asked for a pause, and is left alone for a while',
    'look whether the endpoint of the site policy works',
  ),
  planner_unavailable: code(
    3,
    true,
    'a language model gave no answer',
    'look whether the endpoint of the site policy can be reached and knows the model',
  ),
  planner_answer_refused: code(
    4,
    true,
    'answers of a language model were no plan within the listed runbooks and their limits',
    'a person has to look at the finding; choose another model where this stays so',
  ),
  planner_no_plan: code(
    3,
    false,
    'a language model found no listed runbook that would put this right',
    'a person has to look at the finding',
  ),
};
