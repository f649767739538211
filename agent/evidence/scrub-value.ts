// One value against one rule. Pure; what does not fit comes back as ABSENT, or as a stand-in where a field must be there.
import { CODES } from '../errors/codes.ts';
import { parseDocument } from '../wire/document.ts';
import { ENTRY_KINDS } from '../wire/schemas/entry.ts';
import { ORDER_KINDS } from '../wire/schemas/order.ts';
import type { PlainJson } from '../wire/schemas/primitives.ts';
import { FACT_RULES } from './fact-rules.ts';
import { forbiddenIn, scrubSentence } from './scrub-sentence.ts';
import type { Count } from './scrub-sentence.ts';
import { SHAPES } from './scrub-rules.ts';
import type { Rule, SignedDocument, ValueType } from './scrub-rules.ts';

export const ABSENT: unique symbol = Symbol('absent');
type Kept = PlainJson | typeof ABSENT;

/** Stands in for an id or a name that was removed; fits both schemas. */
export const STAND_IN = 'removed';

/** Fixed words of our own formats. */
export const CLOSED_WORDS: readonly string[] = [
  ...['pass', 'fail', 'waived', 'not_applicable', 'unknown'],
  ...['success', 'failed', 'reverted', 'deferred', 'alert', 'rejected', 'expired', 'dry_run', 'needs_approval'],
  ...['info', 'low', 'medium', 'high', 'critical', 'read', 'routine', 'disruptive', 'confirmed', 'provisional'],
  ...['intent', 'result', 'accepted', 'started', 'handed_over', 'refused', 'raised', 'cleared', 'applied', 'withdrawn'],
  ...['opened', 'updated', 'closed', 'reopened', 'delivered', 'undeliverable'],
  ...[
    'candidate',
    'approved',
    'canary',
    'active',
    'demoted',
    'root',
    'content',
    'policy',
    'revocations',
    'interrupted',
  ],
  ...[
    'central',
    'ntp',
    'unsynchronised',
    'missing_tool',
    'denied',
    'timeout',
    'too_much_output',
    'unparsable',
    'stale',
  ],
  ...ENTRY_KINDS,
  ...ORDER_KINDS,
];
const closed = new Set<string>([...CLOSED_WORDS, ...Object.keys(CODES)]);
/** The words that checks find: what an action's states before and after it consist of. */
const wordsIn = (rule: Rule): readonly string[] => {
  if (typeof rule === 'string') return [];
  if ('one_of' in rule) return rule.one_of;
  return 'list' in rule ? wordsIn(rule.list) : [];
};
const found = new Set(Object.values(FACT_RULES).flatMap((facts) => Object.values(facts).flatMap(wordsIn)));
const shape = Object.fromEntries(Object.entries(SHAPES).map(([type, pattern]) => [type, new RegExp(pattern, 'u')]));

/** Field names inside `open` values; a name with a capital or a dot may come from a target. */
export const OPEN_KEY = /^[a-z][a-z0-9_]{0,40}$/;
/** Text that an `open` value may hold beside closed words. */
export const OPEN_TYPES: readonly ValueType[] = ['digest', 'uuid', 'version'];

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `value` as far as `rule` allows it. `count` is told the name of the rule for each thing that was taken out. */
export function scrubValue(value: unknown, rule: Rule, count: Count): Kept {
  if (value === undefined) return ABSENT;
  if (value === null) return null;
  if (typeof rule === 'string') return scrubPlain(value, rule, count);
  if ('fields' in rule) return isObject(value) ? scrubFields(value, rule.fields, count) : gone('wrong_type', count);
  if ('list' in rule) return Array.isArray(value) ? scrubList(value, rule.list, count) : gone('wrong_type', count);
  if ('values' in rule) return isObject(value) ? scrubRecord(value, rule.values, count) : gone('wrong_type', count);
  if ('one_of' in rule) return scrubWord(value, rule.one_of, count);
  if ('signed' in rule) return scrubSigned(value, rule.signed, count);
  if ('open_but' in rule)
    return isObject(value) ? scrubOpenBut(value, rule.open_but, count) : gone('wrong_type', count);
  return scrubOpen(value, count);
}

/** The fields that have a rule; others are counted and left out. */
export function scrubFields(
  value: Record<string, unknown>,
  fields: Readonly<Record<string, Rule>>,
  count: Count,
): Record<string, PlainJson> {
  const out: Record<string, PlainJson> = {};
  for (const [key, member] of Object.entries(value)) {
    const rule = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (rule === undefined) {
      if (member !== undefined) count('unlisted_field');
      continue;
    }
    const kept = scrubValue(member, rule, count);
    if (kept !== ABSENT) out[key] = kept;
  }
  return out;
}

/** Facts of a check: its declared fields, or, for a check without a declaration, what an `open` value may hold. */
export function scrubFacts(value: unknown, checkId: string, count: Count): Record<string, PlainJson> {
  if (!isObject(value)) return {};
  const declared = Object.hasOwn(FACT_RULES, checkId) ? FACT_RULES[checkId] : undefined;
  const kept = declared === undefined ? scrubOpen(value, count) : scrubFields(value, declared, count);
  return isObject(kept) ? kept : {};
}

function gone(rule: string, count: Count): typeof ABSENT {
  count(rule);
  return ABSENT;
}

function scrubPlain(value: unknown, type: ValueType, count: Count): Kept {
  if (type === 'open') return scrubOpen(value, count);
  if (type === 'integer') return typeof value === 'number' ? value : gone('wrong_type', count);
  if (type === 'boolean') return typeof value === 'boolean' ? value : gone('wrong_type', count);
  if (typeof value !== 'string') return gone('wrong_type', count);
  if (type === 'sentence') return scrubSentence(value, count);
  if (type === 'word') return closed.has(value) ? value : gone('unlisted_word', count);
  const bad = forbiddenIn(value) ?? (shape[type]?.test(value) === true ? null : `not_a_${type}`);
  if (bad === null) return value;
  count(bad);
  return type === 'id' || type === 'name' ? STAND_IN : ABSENT;
}

/** One of the words, or the last of them in place of any other. */
function scrubWord(value: unknown, words: readonly string[], count: Count): Kept {
  if (typeof value === 'string' && words.includes(value)) return value;
  count('unlisted_word');
  return words.at(-1) ?? ABSENT;
}

function scrubList(value: readonly unknown[], rule: Rule, count: Count): PlainJson[] {
  return value.map((member) => scrubValue(member, rule, count)).filter((kept) => kept !== ABSENT);
}

function scrubRecord(value: Record<string, unknown>, rule: Rule, count: Count): Record<string, PlainJson> {
  const out: Record<string, PlainJson> = {};
  for (const [key, member] of Object.entries(value)) {
    const kept =
      OPEN_KEY.test(key) && forbiddenIn(key) === null ? scrubValue(member, rule, count) : gone('field_name', count);
    if (kept !== ABSENT) out[key] = kept;
  }
  return out;
}

function scrubOpenBut(
  value: Record<string, unknown>,
  fields: Readonly<Record<string, Rule>>,
  count: Count,
): Record<string, PlainJson> {
  const named = Object.entries(value).filter(([key]) => Object.hasOwn(fields, key));
  const others = Object.entries(value).filter(([key]) => !Object.hasOwn(fields, key));
  return {
    ...scrubRecord(Object.fromEntries(others), 'open', count),
    ...scrubFields(Object.fromEntries(named), fields, count),
  };
}

/** Numbers, booleans, and text that is a digest, a UUID, a version or one of our own words; in any plain nesting. */
function scrubOpen(value: unknown, count: Count): Kept {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (Array.isArray(value)) return scrubList(value, 'open', count);
  if (isObject(value)) return scrubRecord(value, 'open', count);
  if (typeof value !== 'string') return gone('wrong_type', count);
  if (closed.has(value) || found.has(value)) return value;
  const bad = forbiddenIn(value);
  if (bad === null && OPEN_TYPES.some((type) => shape[type]?.test(value))) return value;
  return gone(bad ?? 'free_text', count);
}

/** A document that the registrar, people or the old key signed. It never comes from a target; its own schema is the allow-list. */
function scrubSigned(value: unknown, document: SignedDocument, count: Count): Kept {
  try {
    if (!isObject(value) || typeof value['payload'] !== 'string') return gone('not_a_document', count);
    parseDocument(document, Buffer.from(value['payload'], 'base64'));
    return value as Record<string, PlainJson>;
  } catch {
    return gone('not_a_document', count);
  }
}
