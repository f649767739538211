// The fields that a rule may ask for: the documented facts of its check, and a few that every finding has.
import { CHECKS, FACT_KEYS } from '../checks/registry.ts';
import { WINDOWS_CHECKS, WINDOWS_FACT_KEYS } from '../checks/windows/registry.ts';
import type { FactType } from '../checks/check.ts';
import { FACT_RULES } from '../evidence/fact-rules.ts';
import type { Rule as ScrubRule } from '../evidence/scrub-rules.ts';

export const PLATFORMS = ['appliance', 'windows'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** `time`: Unix seconds. */
export type FieldType = FactType | 'time';

export interface RuleField {
  readonly type: FieldType;
  /** All values that it can have; null where they are not a closed list. */
  readonly words: readonly string[] | null;
}

/** Check id → field → what it holds. */
export type Vocabulary = Readonly<Record<Platform, Readonly<Record<string, Readonly<Record<string, RuleField>>>>>>;

const COMMON: Readonly<Record<string, RuleField>> = {
  'finding.severity': { type: 'name', words: ['info', 'low', 'medium', 'high', 'critical'] },
  'finding.read_at': { type: 'time', words: null },
  'finding.failing_since': { type: 'time', words: null },
  'target.role': { type: 'name', words: ['appliance', 'domain_controller', 'member_server', 'workstation'] },
};

function wordsOf(rule: ScrubRule | undefined): readonly string[] | null {
  if (rule === undefined || typeof rule === 'string') return null;
  if ('one_of' in rule) return rule.one_of;
  return 'list' in rule ? wordsOf(rule.list) : null;
}

function fieldsOf(check: string, keys: Readonly<Record<string, { type: FactType }>>): Record<string, RuleField> {
  const facts = Object.entries(keys).map(([key, { type }]) => {
    return [key, { type, words: wordsOf(FACT_RULES[check]?.[key]) }] as const;
  });
  return { ...Object.fromEntries(facts), ...COMMON };
}

const tableOf = (
  ids: readonly string[],
  keys: Readonly<Record<string, Readonly<Record<string, { type: FactType }>>>>,
): Record<string, Record<string, RuleField>> => Object.fromEntries(ids.map((id) => [id, fieldsOf(id, keys[id] ?? {})]));

/** What the checks of this program put into findings. */
export const VOCABULARY: Vocabulary = {
  appliance: tableOf(
    CHECKS.map((check) => check.id),
    FACT_KEYS,
  ),
  windows: tableOf(
    WINDOWS_CHECKS.map((check) => check.id),
    WINDOWS_FACT_KEYS,
  ),
};
