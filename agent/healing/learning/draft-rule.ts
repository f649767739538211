// The rule that a pattern would become: every common condition, and the runbook and params that healed it. A draft for people; it is in
// force only once it is signed into the content list. Pure.
import { stringify } from 'yaml';
import type { Runbook } from '../../execution/runbook.ts';
import { VOCABULARY } from '../rule-fields.ts';
import type { RuleFile } from '../rule.ts';
import type { FactShape, Pattern } from './pattern.ts';
import type { Remedy } from './statistics.ts';

type Condition = NonNullable<RuleFile['when']['all']>[number];

/** As many as one group of a rule may have. */
const MAX_CONDITIONS = 16;
/** Recurrences that stop it; over at least this time, and long enough that its cool-down lets them happen. */
const FLAP_COUNT = 3;
const FLAP_WITHIN_S = 14_400;
const PRIORITY = 100;

function conditionOf(field: string, shape: FactShape): Condition[] {
  if (typeof shape !== 'string') return shape.map((one) => ({ field, op: 'contains', value: one.slice(1) }));
  if (shape.startsWith('=')) {
    const word = shape.slice(1);
    const isTruth = word === 'true' || word === 'false';
    return [{ field, op: 'eq', value: isTruth ? word === 'true' : word }];
  }
  switch (shape) {
    case 'zero':
      return [{ field, op: 'eq', value: 0 }];
    case 'some':
      return [{ field, op: 'gt', value: 0 }];
    case 'negative':
      return [{ field, op: 'lt', value: 0 }];
    case 'items':
    case 'text':
      return [{ field, op: 'exists', value: true }];
    case 'null':
      return [{ field, op: 'exists', value: false }];
    default:
      // An empty list: no rule can ask for that.
      return [];
  }
}

/** The id of every rule that is learnt from a pattern. */
export const learntId = (patternSha256: string): string => `learnt-${patternSha256.slice(0, 16)}`;

/** The draft, or why there is none, as one clause. `version`: above that of every rule that was learnt from it before. */
export function draftRule(pattern: Pattern, remedy: Remedy, runbook: Runbook | null, version = 1): RuleFile | string {
  if (runbook === null) return `${remedy.runbookId} is not here`;
  if (runbook.check !== pattern.check) return `${remedy.runbookId} heals what ${runbook.check} finds`;
  const fields = VOCABULARY[pattern.platform][pattern.check] ?? {};
  const all: Condition[] = pattern.role === 'other' ? [] : [{ field: 'target.role', op: 'eq', value: pattern.role }];
  for (const [field, shape] of Object.entries(pattern.facts)) {
    // Facts that a rule cannot ask for say why a look failed or what it cost, not how the machine is.
    if (Object.hasOwn(fields, field)) all.push(...conditionOf(field, shape));
  }
  if (all.length > MAX_CONDITIONS)
    return `it has ${all.length} common conditions, and a rule may have ${MAX_CONDITIONS}`;
  const cooldown = Math.max(300, runbook.cooldown_s);
  const params = JSON.parse(remedy.params) as NonNullable<RuleFile['params']>;
  return {
    schema: 'compliance-agent/rule/v1',
    id: learntId(pattern.sha256),
    version,
    title: `Learnt: ${runbook.title}`.slice(0, 120),
    platform: pattern.platform,
    when: { check: pattern.check, all },
    runbook: runbook.id,
    ...(Object.keys(params).length === 0 ? {} : { params }),
    severity: 'medium',
    priority: PRIORITY,
    cooldown_s: cooldown,
    max_attempts: runbook.max_attempts,
    flap: [{ count: FLAP_COUNT, within_s: Math.max(FLAP_WITHIN_S, FLAP_COUNT * cooldown) }],
    controls: runbook.controls.map(({ map, cite }) => ({ map, cite })),
    source: 'promoted',
    learnt_from: pattern.sha256,
  };
}

/** The draft as a rule's file would have it. */
export const ruleText = (rule: RuleFile): string => stringify(rule);
