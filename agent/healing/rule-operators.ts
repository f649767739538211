// The operators of a rule: which types they take, what their value must be, and when they hold. Pure.
//
// A condition on a fact that is absent, null or of another type is neither true nor false but not known (null): it fulfils
// nothing, not even under `none`, so that nobody acts on what was not read.
import { closestName } from '../errors/closest-name.ts';
import type { PlainJson } from '../wire/schemas/primitives.ts';
import { compileRegex } from './linear-regex.ts';
import type { FieldType, RuleField } from './rule-fields.ts';

export const OPERATORS = [
  'eq',
  'ne',
  'in',
  'not_in',
  'contains',
  'matches',
  'gt',
  'lt',
  'gte',
  'lte',
  'exists',
  'age_over',
] as const;
export type Operator = (typeof OPERATORS)[number];

/** A compiled condition: true, false, or null where the value does not say. `now` in Unix seconds. */
export type Test = (value: PlainJson | undefined, now: number) => boolean | null;

const TAKES: Readonly<Record<Operator, readonly FieldType[]>> = {
  eq: ['boolean', 'integer', 'name', 'digest'],
  ne: ['boolean', 'integer', 'name', 'digest'],
  in: ['integer', 'name', 'digest'],
  not_in: ['integer', 'name', 'digest'],
  contains: ['names'],
  matches: ['name', 'names'],
  gt: ['integer'],
  lt: ['integer'],
  gte: ['integer'],
  lte: ['integer'],
  exists: ['boolean', 'integer', 'name', 'names', 'digest', 'time'],
  age_over: ['time'],
};

const MAX_LIST = 64;
/** A minute … a leap year. */
const AGE_LIMITS_S = [60, 31_622_400] as const;
const DIGEST = /^[0-9a-f]{64}$/;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

const WHAT: Readonly<Record<'boolean' | 'integer' | 'name' | 'digest', string>> = {
  boolean: 'true or false',
  integer: 'a whole number',
  name: 'a name',
  digest: '64 lower-case hex digits',
};

const FITS: Readonly<Record<keyof typeof WHAT, (value: unknown) => boolean>> = {
  boolean: (value) => typeof value === 'boolean',
  integer: (value) => Number.isSafeInteger(value),
  name: (value) => typeof value === 'string' && NAME.test(value),
  digest: (value) => typeof value === 'string' && DIGEST.test(value),
};

/** What is wrong with one value for a field; null where nothing is. */
function valueProblem(value: unknown, type: keyof typeof WHAT, words: readonly string[] | null): string | null {
  if (!FITS[type](value)) return `must be ${WHAT[type]}`;
  if (words === null || words.includes(value as string)) return null;
  const close = closestName(String(value), words);
  return `is never ${String(value)}${close === null ? `: it is one of ${words.join(', ')}` : `; did you mean ${close}?`}`;
}

/** Ready to run, or the clause that says what is wrong with it. */
export function compileCondition(op: Operator, value: unknown, field: RuleField): Test | string {
  const { type, words } = field;
  if (!TAKES[op].includes(type)) return `${op} cannot be asked of a field of type ${type}`;
  switch (op) {
    case 'exists':
      if (typeof value !== 'boolean') return 'the value of exists must be true or false';
      return (given) => (given !== undefined && given !== null) === value;
    case 'age_over': {
      const [least, most] = AGE_LIMITS_S;
      if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
        return `the value of age_over must be whole seconds from ${least} to ${most}`;
      }
      return (given, now) => (typeof given === 'number' ? now - given > (value as number) : null);
    }
    case 'matches': {
      if (typeof value !== 'string') return 'the value of matches must be a regular expression';
      const regex = compileRegex(value);
      if (typeof regex === 'string') return `the pattern ${regex}`;
      if (type === 'names') return (given) => anyOf(given, (item) => regex.test(item));
      return (given) => (typeof given === 'string' ? regex.test(given) : null);
    }
    case 'contains': {
      const problem = valueProblem(value, 'name', words);
      return problem ?? ((given) => anyOf(given, (item) => item === value));
    }
    case 'in':
    case 'not_in':
      return compileList(op, value, field);
    case 'eq':
    case 'ne': {
      const problem = valueProblem(value, type as keyof typeof WHAT, words);
      if (problem !== null) return problem;
      return (given) => (typeof given === typeof value ? (given === value) === (op === 'eq') : null);
    }
    case 'gt':
    case 'lt':
    case 'gte':
    case 'lte':
      return compileComparison(op, value);
  }
}

function compileList(op: 'in' | 'not_in', value: unknown, { type, words }: RuleField): Test | string {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_LIST) {
    return `the value of ${op} must be a list of 1 to ${MAX_LIST}`;
  }
  if (new Set(value).size !== value.length) return `the value of ${op} names something twice`;
  for (const item of value as unknown[]) {
    const problem = valueProblem(item, type as keyof typeof WHAT, words);
    if (problem !== null) return problem;
  }
  if (words !== null && value.length === words.length) return `${op} names every value that there is`;
  const set = new Set<unknown>(value);
  const of = typeof value[0];
  return (given) => (typeof given === of ? set.has(given) === (op === 'in') : null);
}

const COMPARE: Readonly<Record<'gt' | 'lt' | 'gte' | 'lte', (a: number, b: number) => boolean>> = {
  gt: (a, b) => a > b,
  lt: (a, b) => a < b,
  gte: (a, b) => a >= b,
  lte: (a, b) => a <= b,
};

function compileComparison(op: keyof typeof COMPARE, value: unknown): Test | string {
  if (!Number.isSafeInteger(value)) return `the value of ${op} must be a whole number`;
  const compare = COMPARE[op];
  return (given) => (typeof given === 'number' ? compare(given, value as number) : null);
}

function anyOf(given: PlainJson | undefined, holds: (item: string) => boolean): boolean | null {
  if (!Array.isArray(given) || !given.every((item) => typeof item === 'string')) return null;
  return given.some(holds);
}
