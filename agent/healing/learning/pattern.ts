// What drift has in common with other drift: platform, check, role and the shape of its facts. Fixed words and truth values stand as
// they are; numbers only as none, some or negative; digests and addresses of listeners only as being there. Pure.
import { FACT_RULES } from '../../evidence/fact-rules.ts';
import { scrubFacts } from '../../evidence/scrub-value.ts';
import { jcsDigest } from '../../wire/jcs.ts';
import type { Finding } from '../../wire/schemas/finding.ts';
import type { PlainJson } from '../../wire/schemas/primitives.ts';
import { roleWord } from '../healing-runs.ts';
import type { Platform } from '../rule-fields.ts';

export const PATTERN_SCHEMA = 'compliance-agent/pattern/v1';

/** Of one fact. `=word` and `=true` say the value itself, which a rule can ask for; the others only its kind. */
export type FactShape = string | readonly string[];

export interface Pattern {
  /** SHA-256 of the JCS of `{schema, platform, check, role, facts}`, in full. */
  readonly sha256: string;
  readonly platform: Platform;
  readonly check: string;
  readonly role: string;
  readonly facts: Readonly<Record<string, FactShape>>;
}

const ROLES = ['appliance', 'domain_controller', 'member_server', 'workstation'];

function shapeOf(value: PlainJson, isWord: boolean): FactShape {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return `=${String(value)}`;
  if (typeof value === 'number') return value === 0 ? 'zero' : value > 0 ? 'some' : 'negative';
  if (Array.isArray(value)) {
    // How many, and in which order, is of the moment.
    if (!isWord) return value.length === 0 ? 'no_items' : 'items';
    return [...new Set(value.map((one) => `=${String(one)}`))].sort();
  }
  return isWord && typeof value === 'string' ? `=${value}` : 'text';
}

const holdsWords = (rule: unknown): boolean =>
  typeof rule === 'object' && rule !== null && ('one_of' in rule || ('list' in rule && holdsWords(rule.list)));

/** The pattern, or null for a check whose facts are not known: what was not understood is not learnt from. */
export function patternOf(platform: Platform, finding: Pick<Finding, 'check' | 'target' | 'facts'>): Pattern | null {
  const check = finding.check.id;
  const rules = Object.hasOwn(FACT_RULES, check) ? FACT_RULES[check] : undefined;
  if (rules === undefined) return null;
  let leftOut = 0;
  const known = scrubFacts(finding.facts, check, () => void (leftOut += 1));
  if (leftOut > 0) return null;
  const facts = Object.fromEntries(
    Object.entries(known).map(([key, value]) => [key, shapeOf(value, holdsWords(rules[key]))]),
  );
  const word = roleWord(finding.target.role);
  const role = ROLES.find((one) => one === word) ?? 'other';
  const sha256 = jcsDigest({ schema: PATTERN_SCHEMA, platform, check, role, facts });
  return { sha256, platform, check, role, facts };
}
