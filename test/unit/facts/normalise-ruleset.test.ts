import { describe, expect, it } from 'vitest';
import { defaultPolicies } from '../../../agent/facts/firewall.ts';
import { readRuleset, type BaseChain } from '../../../agent/facts/normalise-ruleset.ts';
import { fixture } from '../../support/fixture-facts.ts';

const digests = (text: string): Record<string, string> => {
  const ruleset = readRuleset(text);
  if (ruleset === null) throw new Error('not a ruleset');
  return Object.fromEntries(ruleset.tables.map((t) => [`${t.family} ${t.name}`, t.sha256]));
};
const EGRESS = 'inet compliance-agent-egress';
const fresh = fixture('nft/egress-fresh.json');
/** The fresh ruleset with one change to its JSON. */
const edited = (change: (items: Record<string, any>[]) => void): Record<string, string> => {
  const document = JSON.parse(fresh) as { nftables: Record<string, any>[] };
  change(document.nftables);
  return digests(JSON.stringify(document));
};
const find = (items: Record<string, any>[], kind: string, name: string): any =>
  items.find((item) => item[kind]?.name === name)?.[kind];

describe('normal form of a ruleset', () => {
  it('elements of timeout sets do not change the digest', () => {
    expect(fixture('nft/egress-used.json')).toContain('"expires"');
    expect(digests(fixture('nft/egress-used.json'))).toEqual(digests(fresh));
  });

  it('other handles after a reload do not change the digest', () => {
    expect(fixture('nft/egress-reloaded.json')).not.toBe(fresh);
    expect(digests(fixture('nft/egress-reloaded.json'))).toEqual(digests(fresh));
  });

  it('counters, quotas used and other versions of nft do not change the digest', () => {
    const counted = edited((items) => {
      items[0]!.metainfo = { version: '9.9.9' };
      find(items, 'counter', 'dropped').packets = 17;
      find(items, 'quota', 'daily').used = 99;
      for (const { rule } of items) {
        for (const statement of rule?.expr ?? []) {
          if (statement.counter?.packets !== undefined) statement.counter.bytes = 4_711;
        }
      }
    });
    expect(counted).toEqual(digests(fresh));
  });

  it('one more rule changes the digest of its table and of no other', () => {
    const changed = digests(fixture('nft/egress-changed.json'));
    expect(changed[EGRESS]).not.toBe(digests(fresh)[EGRESS]);
    expect(changed['ip legacy']).toBe(digests(fresh)['ip legacy']);
  });

  it.each<[string, (items: Record<string, any>[]) => void]>([
    ['an element of a fixed set', (items) => find(items, 'set', 'fixed').elem.pop()],
    ['an element of a verdict map', (items) => (find(items, 'map', 'ports').elem[0][0] = 54)],
    ['the policy of a chain', (items) => (find(items, 'chain', 'input').policy = 'accept')],
    ['the limit of a quota', (items) => (find(items, 'quota', 'daily').bytes = 1)],
    ['the timeout of a set', (items) => (find(items, 'set', 'central4').timeout = 99_999)],
    ['the flags of a set', (items) => (find(items, 'set', 'fixed').flags = ['interval', 'timeout'])],
    [
      'the user of a rule',
      (items) => JSON.stringify(items.find((i) => JSON.stringify(i).includes('990'))!.rule.expr.splice(0, 1)),
    ],
    [
      'a rule taken out',
      (items) =>
        items.splice(
          items.findIndex((i) => i.rule !== undefined),
          1,
        ),
    ],
    [
      'two rules in the other order',
      (items) => {
        const at = items.findIndex((i) => i.rule?.chain === 'output');
        [items[at], items[at + 1]] = [items[at + 1]!, items[at]!];
      },
    ],
  ])('the digest changes with %s', (_what, change) => {
    expect(edited(change)[EGRESS]).not.toBe(digests(fresh)[EGRESS]);
  });

  it('the order of elements and of unnamed sets has no meaning', () => {
    const reordered = edited((items) => {
      find(items, 'set', 'fixed').elem.reverse();
      find(items, 'map', 'ports').elem.reverse();
      for (const { rule } of items) {
        for (const statement of rule?.expr ?? []) {
          if (Array.isArray(statement.match?.right?.set)) statement.match.right.set.reverse();
        }
      }
    });
    expect(reordered).toEqual(digests(fresh));
  });

  it('an empty ruleset has no tables, and what is no ruleset is refused', () => {
    expect(readRuleset(fixture('nft/none.json'))).toEqual({ tables: [], baseChains: [] });
    for (const text of [
      '',
      '{}',
      '[]',
      '{"nftables":{}}',
      '{"nftables":[1]}',
      '{"nftables":[{}]}',
      fresh.slice(0, 999),
    ]) {
      expect(readRuleset(text)).toBeNull();
    }
  });
});

describe('default policies', () => {
  const chain = (family: string, policy: string, type = 'filter'): BaseChain => ({
    family,
    table: 't',
    chain: 'c',
    type,
    hook: 'input',
    policy,
  });

  it('the recorded ruleset drops by default on all hooks', () => {
    expect(defaultPolicies(readRuleset(fresh)?.baseChains ?? [])).toEqual({
      input: 'drop',
      output: 'drop',
      forward: 'drop',
    });
  });

  it.each<[string, BaseChain[], 'drop' | 'accept']>([
    ['nothing at all', [], 'accept'],
    ['a chain for IPv4 only', [chain('ip', 'drop')], 'accept'],
    ['chains for IPv4 and IPv6', [chain('ip', 'drop'), chain('ip6', 'drop')], 'drop'],
    ['a chain for both that accepts', [chain('inet', 'accept')], 'accept'],
    ['one that accepts beside one that drops', [chain('inet', 'accept'), chain('inet', 'drop')], 'drop'],
    ['a chain of another type', [chain('inet', 'drop', 'nat')], 'accept'],
    ['a bridge chain', [chain('bridge', 'drop')], 'accept'],
  ])('the default for input with %s', (_what, chains, expected) => {
    expect(defaultPolicies(chains).input).toBe(expected);
  });
});
