import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRegex } from '../../../agent/healing/linear-regex.ts';
import { loadRules } from '../../../agent/healing/load-rules.ts';
import { indexRules, type RuleSubject } from '../../../agent/healing/rule-index.ts';
import { compileCondition, OPERATORS } from '../../../agent/healing/rule-operators.ts';
import { whyNotUsable } from '../../../agent/healing/rule-standing.ts';
import { parseRule, type Rule } from '../../../agent/healing/rule.ts';
import { expectCode } from '../../support/expect-code.ts';
import { ruleText, runbookOf } from '../../support/rule-fixtures.ts';

const NOW = 1_800_000_000;
const STOPPED: RuleSubject = {
  platform: 'appliance',
  check: 'av_edr',
  result: 'fail',
  severity: 'high',
  facts: { service: 'inactive', service_load: 'loaded', binary: 'declared' },
  readAt: NOW - 60,
  failingSince: NOW - 3_600,
  role: 'appliance',
};
const rule = (edits: Parameters<typeof ruleText>[0] = {}): Rule => parseRule(Buffer.from(ruleText(edits)), 'rule.yaml');
const source = (place: string, text: string) => ({ place, bytes: Buffer.from(text) });

describe('loading rules', () => {
  it('a file with mistakes takes no other rule away, and each refusal names its file and line', () => {
    const { rules, refused } = loadRules([
      source('a.yaml', ruleText({ id: 'first-rule' })),
      source('b.yaml', ruleText({ id: 'second-rule' }).replace('service,', 'servise,')),
      source('c.yaml', 'not: [a rule'),
      source('d.yaml', ruleText({ id: 'third-rule' })),
    ]);
    expect(rules.map(({ file }) => file.id)).toEqual(['first-rule', 'third-rule']);
    expect(refused.map(({ code, place }) => [code, place])).toEqual([
      ['rule_invalid', 'b.yaml:9'],
      ['rule_invalid', 'c.yaml:1'],
    ]);
    expect(refused[0]?.message).toContain('did you mean service?');
  });

  it('the second of two rules with one id is refused, and names the first', () => {
    const { rules, refused } = loadRules([source('a.yaml', ruleText({})), source('b.yaml', ruleText({}))]);
    expect([rules.length, refused[0]?.place]).toEqual([1, 'b.yaml']);
    expect(refused[0]?.message).toContain('a.yaml');
  });

  it('all mistakes of one file are said at once', () => {
    const text = ruleText({})
      .replace('platform: appliance', 'platfrom: appliance')
      .replace('version: 1', 'version: one');
    const error = expectCode(() => parseRule(Buffer.from(text), 'rule.yaml'), 'rule_invalid');
    expect(error.message).toMatch(/line 3: .*line 5: platfrom is not a known key; did you mean platform\?/);
  });

  it('a rule whose own flap limit fits its long cool-down is taken', () => {
    const slow = ruleText({ cooldown_s: 86_400 });
    expectCode(() => parseRule(Buffer.from(slow), 'rule.yaml'), 'rule_invalid');
    const weekly = slow.replace('controls:', 'flap: [{ count: 3, within_s: 604800 }]\ncontrols:');
    expect(parseRule(Buffer.from(weekly), 'rule.yaml').limits.flap).toEqual([{ count: 3, withinS: 604_800 }]);
  });
});

describe('a rule and its runbook', () => {
  const runbooks = new Map([['RB-APP-AV-001', runbookOf({})]]);
  it.each([
    ['is not here', {}, new Map()],
    ['is for windows', {}, new Map([['RB-APP-AV-001', runbookOf({ platform: 'windows' })]])],
    ['heals what backup finds', {}, new Map([['RB-APP-AV-001', runbookOf({ check: 'backup' })]])],
    ['cool-down of at least 1200 s', {}, new Map([['RB-APP-AV-001', runbookOf({ cooldown_s: 1_200 })]])],
    ['allows 1 attempts', {}, new Map([['RB-APP-AV-001', runbookOf({ max_attempts: 1 })]])],
    ['changes nothing', {}, new Map([['RB-APP-AV-001', runbookOf({ remediate: { by: 'none', reason: 'x' } })]])],
    ['has no param speed', { params: '{ speed: 1 }' }, runbooks],
    ['wants tries from 1 to 3', { params: '{ tries: 4 }' }, runbooks],
    ['wants tries from', { params: '{ tries: "2" }' }, runbooks],
    ['wants quick to be true or false', { params: '{ quick: 1 }' }, runbooks],
    ['wants mode to be one of a, b', { params: '{ mode: c }' }, runbooks],
    ['wants units to be a list', { params: '{ units: [a, b, c] }' }, runbooks],
  ])('is not usable where the runbook %s', (clause, edits, known) => {
    expect(whyNotUsable(rule(edits), known)).toContain(clause);
  });

  it('is usable where all params are what the runbook takes', () => {
    const params = '{ tries: 3, quick: true, mode: b, units: [a, b] }';
    expect(whyNotUsable(rule({ params }), runbooks)).toBeNull();
  });
});

describe('the index', () => {
  it('takes the rule with the highest priority; among equals what the site wrote before what was learnt and shipped', () => {
    const made = (id: string, priority: number, origin: string): Rule =>
      rule({ id, priority, source: origin, ...(origin === 'promoted' ? { learnt_from: 'ab'.repeat(32) } : {}) });
    const low = made('low-one', 10, 'site');
    const shipped = made('shipped-one', 20, 'builtin');
    const learnt = made('learnt-one', 20, 'promoted');
    const own = made('own-one', 20, 'site');
    const order = (rules: Rule[]): string[] =>
      indexRules(rules)
        .explain(STOPPED, NOW)
        .map(({ rule: tried }) => tried.file.id);
    const expected = ['own-one', 'learnt-one', 'shipped-one', 'low-one'];
    expect(order([low, shipped, learnt, own])).toEqual(expected);
    expect(order([own, learnt, low, shipped])).toEqual(expected);
    expect(indexRules([low, shipped, learnt, own]).match(STOPPED, NOW)?.file.id).toBe('own-one');
  });

  it('a rule for one platform never fires on the other, even where check and facts are the same', () => {
    expect(indexRules([rule()]).match({ ...STOPPED, platform: 'windows' }, NOW)).toBeNull();
  });

  it.each(['pass', 'unknown', 'not_applicable', 'waived'] as const)(
    'no rule fires for a finding that is %s',
    (result) => {
      const index = indexRules([rule()]);
      expect(index.match({ ...STOPPED, result }, NOW)).toBeNull();
      expect(index.explain({ ...STOPPED, result }, NOW)[0]?.because).toContain(`the finding is ${result}`);
    },
  );

  it('a rule that ends with a defect is passed over, and the next one fires', () => {
    const broken = rule({ id: 'broken-one', priority: 900 });
    const thrower = { field: 'service', op: 'eq', value: 'x', test: () => expect.fail('thrown inside') };
    const index = indexRules([{ ...broken, all: [thrower] }, rule()]);
    expect(index.match(STOPPED, NOW)?.file.id).toBe('av-stopped');
    expect(index.explain(STOPPED, NOW).map(({ fires }) => fires)).toEqual([false, true]);
  });

  it('says for each rule the first thing that keeps it from firing', () => {
    const because = (facts: RuleSubject['facts']): string | undefined =>
      indexRules([rule()]).explain({ ...STOPPED, facts }, NOW)[0]?.because;
    expect(because({ service: 'active', binary: 'declared' })).toContain('does not hold');
    expect(because({ binary: 'declared' })).toContain('is not known');
    expect(because({ service: 'failed', binary: 'changed' })).toContain('none: binary eq "changed" holds');
    expect(because({ service: 'failed', binary: null })).toContain('is not known');
  });

  it('facts named like members of every object are no facts', () => {
    const index = indexRules([{ ...rule(), all: [condition('constructor', 'exists', true)], none: [] }]);
    expect(index.match(STOPPED, NOW)).toBeNull();
  });

  it('match takes exactly what explain says fires first', () => {
    const words = ['active', 'inactive', 'failed', 'masked', null, 7] as const;
    const rules = [
      rule({ id: 'rule-a', priority: 3 }),
      rule({ id: 'rule-b', priority: 2, when: '  check: av_edr' }),
      rule({
        id: 'rule-c',
        priority: 5,
        when: '  check: av_edr\n  any:\n    - { field: running, op: ne, value: other }',
      }),
    ];
    const index = indexRules(rules);
    const facts = fc.record({
      service: fc.constantFrom(...words),
      binary: fc.constantFrom('declared', 'changed', null),
    });
    fc.assert(
      fc.property(facts, fc.constantFrom('fail', 'pass', 'unknown' as const), (given, result) => {
        const subject = { ...STOPPED, facts: given, result };
        const first = index.explain(subject, NOW).find(({ fires }) => fires);
        expect(index.match(subject, NOW)).toBe(first?.rule ?? null);
      }),
    );
  });
});

const condition = (field: string, op: 'exists', value: boolean) => {
  const test = compileCondition(op, value, { type: 'name', words: null });
  if (typeof test === 'string') throw new Error(test);
  return { field, op, value, test };
};

describe('operators', () => {
  it('each takes only its types, and a value of another type is refused when the rule is read', () => {
    const types = ['boolean', 'integer', 'name', 'names', 'digest', 'time'] as const;
    const taken = OPERATORS.map((op) => {
      const fits = types.filter((type) => {
        const values = [true, 90, 'word', 'ab'.repeat(32), ['word'], ['ab'.repeat(32)], [90]];
        return values.some((value) => typeof compileCondition(op, value, { type, words: null }) !== 'string');
      });
      return [op, fits.join(' ')];
    });
    expect(Object.fromEntries(taken)).toEqual({
      eq: 'boolean integer name digest',
      ne: 'boolean integer name digest',
      in: 'integer name digest',
      not_in: 'integer name digest',
      contains: 'names',
      matches: 'name names',
      gt: 'integer',
      lt: 'integer',
      gte: 'integer',
      lte: 'integer',
      exists: 'boolean integer name names digest time',
      age_over: 'time',
    });
  });

  it('no operator but exists holds, or is known not to hold, for a fact that is absent or of another type', () => {
    const values: Record<string, unknown> = { in: ['a'], not_in: ['a'], matches: 'a', contains: 'a', age_over: 60 };
    const typeOf = (op: string): 'integer' | 'name' | 'names' | 'time' =>
      op === 'age_over' ? 'time' : op === 'contains' ? 'names' : /^[gl]te?$/.test(op) ? 'integer' : 'name';
    for (const op of OPERATORS.filter((one) => one !== 'exists')) {
      const type = typeOf(op);
      const test = compileCondition(op, values[op] ?? (type === 'integer' ? 5 : 'a'), { type, words: null });
      if (typeof test === 'string') expect.fail(`${op}: ${test}`);
      const odd = [undefined, null, { a: 1 }, [1], ...(type === 'integer' || type === 'time' ? ['5'] : [5])];
      for (const given of odd) expect(test(given as never, NOW), `${op} of ${JSON.stringify(given)}`).toBeNull();
    }
  });

  it('a list that names every value there is would always hold, and is refused', () => {
    const field = { type: 'name', words: ['a', 'b'] } as const;
    expect(compileCondition('in', ['a', 'b'], field)).toContain('every value');
    expect(compileCondition('in', ['a', 'c'], field)).toContain('never c');
  });
});

describe('regular expressions', () => {
  it('patterns that take a backtracking engine for ever end at once', () => {
    const text = `${'a'.repeat(50_000)}!`;
    for (const pattern of ['(a+)+$', '^(a|a)*$', '^(a|aa)+$', '(.*a){12}b', '^(([a-z])+.)+[A-Z]([a-z])+$']) {
      const regex = compileRegex(pattern);
      if (typeof regex === 'string') expect.fail(regex);
      // A backtracking engine needs longer than the age of the universe: the test would not end.
      expect(regex.test(text)).toBe(false);
    }
  });

  it('agrees with the engine of the language on patterns that both know', () => {
    const atom = fc.constantFrom('a', 'b', '[ab]', '.', '(?:ab)', '^', '$', '\\d', 'a|b');
    const repeat = fc.constantFrom('', '*', '+', '?', '{1,2}');
    const part = fc.tuple(atom, repeat).map(([a, r]) => (a === '^' || a === '$' || a === 'a|b' ? a : a + r));
    const pattern = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', 'x'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (source, given) => {
        const regex = compileRegex(source);
        if (typeof regex === 'string') expect.fail(`${source} ${regex}`);
        expect(regex.test(given)).toBe(new RegExp(source).test(given));
      }),
    );
  });

  it.each([
    '(a)\\1',
    'a(?=b)',
    '(?<=a)b',
    '[',
    'a{1001}',
    '((a{100}){100}){100}',
    'a'.repeat(201),
    '(?:(?:a{50}){20})b{999}',
  ])('what such an engine cannot do, or only slowly, does not compile: %s', (pattern) => {
    expect(compileRegex(pattern)).toBeTypeOf('string');
  });
});
