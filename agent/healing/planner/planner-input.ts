// What a model is told of a finding: an allow-list of fields, then a second look over all that would go out. Neither knows the
// sentence, the remedy, an error's message or a name: what is not a number, a fixed word, a digest, a GUID or a salted token stays here.
// Pure.
import { createHmac } from 'node:crypto';
import { CODES } from '../../errors/codes.ts';
import { FACT_RULES } from '../../evidence/fact-rules.ts';
import type { Rule } from '../../evidence/scrub-rules.ts';
import { CLOSED_WORDS, scrubFacts } from '../../evidence/scrub-value.ts';
import { actionOutcome, type PlainJson } from '../../wire/schemas/primitives.ts';
import type { PlannerSubject } from './planner-types.ts';

export const INPUT_SCHEMA = 'compliance-agent/planner-input/v1';
/** Facts of a check are some hundred bytes; more is no finding of ours. */
const MAX_FACTS_BYTES = 8_192;
const MAX_RUNS = 8;
const MAX_LISTENERS = 64;

const ROLES = ['appliance', 'domain_controller', 'member_server', 'workstation', 'other'] as const;
const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical', 'other'] as const;
const OUTCOMES = [...actionOutcome.options, 'other'] as const;
const RUNBOOK_ID = /^RB-(?:WIN|APP)-[A-Z]{2,12}-[0-9]{3}$/;
/** The Windows build; a bare number of five digits elsewhere could be a ZIP code. */
const WINDOWS_BUILD = /^10\.0\.([0-9]{5})$/;

export interface PlannerInput {
  readonly schema: typeof INPUT_SCHEMA;
  readonly platform: string;
  readonly check: string;
  readonly check_version: number;
  readonly severity: string;
  /** Salted; the same target has the same one, and nobody outside can say which it is. */
  readonly target: string;
  readonly role: string;
  readonly windows_build: number | null;
  readonly failing_for_minutes: number;
  readonly recurrences: number;
  readonly facts: Readonly<Record<string, PlainJson>>;
  /** Values that were not known and are not here. */
  readonly facts_left_out: number;
  readonly earlier_runs: readonly { readonly runbook_id: string; readonly outcome: string; readonly code: string }[];
}

const oneOf = (words: readonly string[], given: unknown): string =>
  words.find((word) => word === given) ?? words.at(-1) ?? 'other';

const isCode = (code: string): boolean => Object.hasOwn(CODES, code);

/** A name under the salt of this appliance. */
export const tokenOf = (salt: Buffer, name: string): string =>
  `t-${createHmac('sha256', salt).update(name, 'utf8').digest('hex').slice(0, 16)}`;

/** The input, or why nothing may be asked. `known`: check ids of the platform. */
export function plannerInput(subject: PlannerSubject, salt: Buffer, now: number): PlannerInput | string {
  const { finding } = subject;
  const rules = Object.hasOwn(FACT_RULES, finding.check.id) ? FACT_RULES[finding.check.id] : undefined;
  if (rules === undefined) return 'the check is not one whose facts are known';
  let leftOut = 0;
  const facts = scrubFacts(finding.facts, finding.check.id, (_rule, by = 1) => void (leftOut += by));
  for (const [key, value] of Object.entries(facts)) {
    if (Array.isArray(value)) facts[key] = value.slice(0, MAX_LISTENERS);
  }
  if (JSON.stringify(facts).length > MAX_FACTS_BYTES) return 'the finding has more facts than a finding has';
  const build = WINDOWS_BUILD.exec(finding.target.os_build ?? '')?.[1];
  const input: PlannerInput = {
    schema: INPUT_SCHEMA,
    platform: subject.platform,
    check: finding.check.id,
    check_version: finding.check.version,
    severity: oneOf(SEVERITIES, finding.severity),
    target: tokenOf(salt, finding.target.id),
    role: oneOf(ROLES, finding.target.role),
    windows_build: build === undefined ? null : Number(build),
    failing_for_minutes: Math.max(0, Math.floor((now - subject.failingSince) / 60)),
    recurrences: subject.recurrences,
    facts,
    facts_left_out: leftOut,
    earlier_runs: subject.runs
      .filter(({ runbookId }) => RUNBOOK_ID.test(runbookId))
      .slice(-MAX_RUNS)
      .map(({ runbookId, outcome, code }) => ({
        runbook_id: runbookId,
        outcome: oneOf(OUTCOMES, outcome),
        code: code !== null && isCode(code) ? code : 'none',
      })),
  };
  const strange = firstUnknown(input, rules);
  return strange === null ? input : `${strange} is not known to be free of names`;
}

function wordsOf(rule: Rule): readonly string[] {
  if (typeof rule === 'string') return [];
  if ('one_of' in rule) return rule.one_of;
  return 'list' in rule ? wordsOf(rule.list) : [];
}

/** Text that is no word of ours may be one of these alone. */
const TEXT_SHAPES = [
  /^t-[0-9a-f]{16}$/,
  /^[0-9a-f]{64}$/,
  /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  /^(?:(?:tcp|udp)-(?:any|loopback|address)-[0-9]{1,5}|and-[0-9]{1,5}-more)$/,
  RUNBOOK_ID,
];
const FIXED_WORDS = new Set<string>([
  ...CLOSED_WORDS,
  ...Object.keys(CODES),
  ...Object.keys(FACT_RULES),
  ...[...ROLES, ...SEVERITIES, ...OUTCOMES],
  ...[INPUT_SCHEMA, 'appliance', 'windows', 'none'],
]);
const FIELDS = new Set<keyof PlannerInput>([
  ...(['schema', 'platform', 'check', 'check_version', 'severity', 'target', 'role', 'windows_build'] as const),
  ...(['failing_for_minutes', 'recurrences', 'facts', 'facts_left_out', 'earlier_runs'] as const),
]);

/** The second look, which trusts nothing that the first one did: where something unknown stands, or null. */
export function firstUnknown(input: object, rules: Readonly<Record<string, Rule>>): string | null {
  const words = new Set(Object.values(rules).flatMap(wordsOf));
  const isKnown = (value: unknown): boolean => {
    if (value === null || typeof value === 'boolean') return true;
    if (typeof value === 'number') return Number.isSafeInteger(value);
    if (Array.isArray(value)) return value.every(isKnown);
    if (typeof value !== 'string') return false;
    return words.has(value) || FIXED_WORDS.has(value) || TEXT_SHAPES.some((shape) => shape.test(value));
  };
  for (const [field, value] of Object.entries(input)) {
    if (!FIELDS.has(field as keyof PlannerInput)) return 'a field of the input';
    if (field === 'facts') {
      for (const [key, fact] of Object.entries(value as object)) {
        if (!Object.hasOwn(rules, key) || !isKnown(fact)) return 'a fact';
      }
    } else if (field === 'earlier_runs') {
      for (const run of value as object[]) {
        const keys = Object.keys(run).join(' ');
        if (keys !== 'runbook_id outcome code' || !Object.values(run).every(isKnown)) return 'an earlier run';
      }
    } else if (!isKnown(value)) return 'a field of the input';
  }
  return null;
}
