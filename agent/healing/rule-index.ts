// All rules in force, compiled once: a finding is held only against the rules of its own platform and check. Pure.
import type { CheckResult, PlainJson, Severity } from '../wire/schemas/primitives.ts';
import type { Platform } from './rule-fields.ts';
import type { CompiledCondition, Rule } from './rule.ts';

/** What a rule is held against: one finding. Times are Unix seconds. */
export interface RuleSubject {
  readonly platform: Platform;
  readonly check: string;
  readonly result: CheckResult;
  readonly severity: Severity;
  readonly facts: Readonly<Record<string, PlainJson>>;
  readonly readAt: number;
  /** First sight of this drift. */
  readonly failingSince: number;
  /** As declared or detected; null where it is not known. */
  readonly role: string | null;
}

export type ConditionState = 'holds' | 'does_not_hold' | 'not_known';

/** How one rule fared: it fires, or the first thing that keeps it from firing. */
export interface RuleVerdict {
  readonly rule: Rule;
  readonly fires: boolean;
  readonly because: string;
}

export interface RuleIndex {
  readonly size: number;
  /** Those that were learnt. */
  readonly learnt: readonly Rule[];
  /** The rule that is taken for a finding, or null. Only a `fail` has one: nothing is healed that was not seen broken. */
  match(subject: RuleSubject, now: number): Rule | null;
  /** Every rule for the finding's platform and check, in the order in which they are tried, with the reason. */
  explain(subject: RuleSubject, now: number): RuleVerdict[];
}

/** Among equals, what the site wrote goes before what was learnt, and that before what was shipped. */
const SOURCES = ['site', 'promoted', 'builtin'] as const;

const keyOf = (platform: Platform, check: string): string => `${platform} ${check}`;

function inOrder(a: Rule, b: Rule): number {
  return (
    b.file.priority - a.file.priority ||
    SOURCES.indexOf(a.file.source) - SOURCES.indexOf(b.file.source) ||
    (a.file.id < b.file.id ? -1 : 1)
  );
}

function valueOf(subject: RuleSubject, field: string): PlainJson | undefined {
  switch (field) {
    case 'finding.severity':
      return subject.severity;
    case 'finding.read_at':
      return subject.readAt;
    case 'finding.failing_since':
      return subject.failingSince;
    case 'target.role':
      return subject.role;
    default:
      return Object.hasOwn(subject.facts, field) ? subject.facts[field] : undefined;
  }
}

const holds = (condition: CompiledCondition, subject: RuleSubject, now: number): boolean | null =>
  condition.test(valueOf(subject, condition.field), now);

/** All of `all` hold, one of `any` (where there is one) holds, and each of `none` is known not to hold. */
function fires(rule: Rule, subject: RuleSubject, now: number): boolean {
  for (const condition of rule.all) if (holds(condition, subject, now) !== true) return false;
  for (const condition of rule.none) if (holds(condition, subject, now) !== false) return false;
  return rule.any.length === 0 || rule.any.some((condition) => holds(condition, subject, now) === true);
}

const show = ({ field, op, value }: CompiledCondition): string => `${field} ${op} ${JSON.stringify(value)}`;

function reason(rule: Rule, subject: RuleSubject, now: number): RuleVerdict {
  const stop = (because: string): RuleVerdict => ({ rule, fires: false, because });
  if (subject.result !== 'fail') return stop(`the finding is ${subject.result}, and rules act on fail alone`);
  const known = (given: boolean | null, sentence: string): string =>
    given === null ? `${sentence} is not known: the finding does not have this fact` : sentence;
  for (const condition of rule.all) {
    const state = holds(condition, subject, now);
    if (state !== true)
      return stop(known(state, `all: ${show(condition)}`) + (state === false ? ' does not hold' : ''));
  }
  for (const condition of rule.none) {
    const state = holds(condition, subject, now);
    if (state !== false) return stop(known(state, `none: ${show(condition)}`) + (state === true ? ' holds' : ''));
  }
  if (rule.any.length > 0 && !rule.any.some((condition) => holds(condition, subject, now) === true)) {
    return stop(`any: none of ${rule.any.map(show).join(', ')} holds`);
  }
  return { rule, fires: true, because: 'all that it asks for holds' };
}

const BROKEN = 'the rule ended with a defect of this program; the other rules go on';

/** Builds the index. What the rules say is not looked at again: parseRule and loadRules did that. */
export function indexRules(rules: readonly Rule[]): RuleIndex {
  const index = new Map<string, Rule[]>();
  for (const rule of rules) {
    const key = keyOf(rule.file.platform, rule.file.when.check);
    const list = index.get(key);
    if (list === undefined) index.set(key, [rule]);
    else list.push(rule);
  }
  for (const list of index.values()) list.sort(inOrder);
  const candidates = (subject: RuleSubject): readonly Rule[] => index.get(keyOf(subject.platform, subject.check)) ?? [];
  return {
    size: rules.length,
    learnt: rules.filter(({ file }) => file.source === 'promoted'),
    match(subject, now) {
      if (subject.result !== 'fail') return null;
      for (const rule of candidates(subject)) {
        try {
          if (fires(rule, subject, now)) return rule;
        } catch {
          // One defective rule must not take the others with it; `explain` names it.
        }
      }
      return null;
    },
    explain: (subject, now) =>
      candidates(subject).map((rule) => {
        try {
          return reason(rule, subject, now);
        } catch {
          return { rule, fires: false, because: BROKEN };
        }
      }),
  };
}
