import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rulesInForce } from '../../../agent/healing/rules-in-force.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import type { ContentList } from '../../../agent/wire/schemas/content.ts';
import { content } from '../../support/healing-fixtures.ts';
import { ruleText } from '../../support/rule-fixtures.ts';
import { RUNBOOKS } from '../checks/sample-facts.ts';

/** A list that names these texts as rules, and what its files hold. */
function listing(...rules: readonly (readonly [id: string, version: number, text: string])[]) {
  const held = new Map(rules.map(([, , text]) => [sha256Hex(Buffer.from(text)), Buffer.from(text)]));
  const files = rules.map(([id, version, text]): ContentList['files'][number] => ({
    ...{ path: `rules/${id}-${version}.yaml`, kind: 'rule', id, version, size: 1 },
    sha256: sha256Hex(Buffer.from(text)),
  }));
  return { list: { ...content, files }, read: (sha256: string) => held.get(sha256) ?? null };
}

const idsIn = ({ list, read }: ReturnType<typeof listing>) => {
  const { index, refused } = rulesInForce(list, { read });
  return [index.size, refused.map(({ code, place }) => `${code} ${place}`)];
};

describe('the rules in force', () => {
  it('are none before a content list, whatever ships with the agent', () => {
    expect(rulesInForce(null, { read: () => null }).index.size).toBe(0);
    expect(readFileSync(join(RUNBOOKS, 'rules/av-service-stopped.yaml'), 'utf8')).toContain('RB-APP-AV-001');
  });

  it('are those that the list names, of each id the newest version alone', () => {
    const old = ruleText({ priority: 1 });
    const { list, read } = listing(['av-stopped', 1, old], ['av-stopped', 2, ruleText({ priority: 2 })]);
    const { index } = rulesInForce(list, { read });
    const [first] = index.explain(
      {
        platform: 'appliance',
        check: 'av_edr',
        result: 'fail',
        severity: 'high',
        facts: {},
        readAt: 0,
        failingSince: 0,
        role: null,
      },
      0,
    );
    expect([index.size, first?.rule.file.priority]).toEqual([1, 2]);
  });

  it('leave out, with its place, what has mistakes or is not here as it was signed; the others stay', () => {
    const good = ruleText({});
    const bad = ruleText({ id: 'other-rule' }).replace('version: 1', 'version: one');
    expect(idsIn(listing(['av-stopped', 1, good], ['other-rule', 1, bad]))).toEqual([
      1,
      ['rule_invalid rules/other-rule-1.yaml:3'],
    ]);
    const { list } = listing(['av-stopped', 1, good]);
    expect(rulesInForce(list, { read: () => null }).refused.map(({ place }) => place)).toEqual([
      'rules/av-stopped-1.yaml',
    ]);
  });
});
