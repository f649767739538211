import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCliState, type CliState } from '../../support/cli-state.ts';
import { ruleText } from '../../support/rule-fixtures.ts';
import { cli } from '../../support/run-cli.ts';

let dir = '';
let state: CliState;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'rules-'));
  state = makeCliState();
});
afterAll(() => {
  for (const made of [dir, state.dir]) rmSync(made, { recursive: true, force: true });
});
const file = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};

interface Listed {
  readonly rules: { id: string; runbook: string | null; not_usable: string | null; place: string }[];
  readonly refused: { code: string; place: string; sentence: string }[];
}
interface Tested {
  readonly findings: {
    seq: number | null;
    taken: string | null;
    rules: { id: string; fires: boolean; because: string }[];
  }[];
}

describe('rules list', () => {
  it('shows the shipped rules, and says of each that cannot be used here why', async () => {
    const { code, json } = await cli(['rules', 'list', '--json']);
    expect(code).toBe(0);
    const { rules, refused } = json<Listed>();
    expect([refused, rules.length > 7]).toEqual([[], true]);
    for (const { runbook, not_usable: why } of rules) if (runbook === null) expect(why).toBeNull();
  });

  it('shows a folder of somebody, the refused ones among them, and goes on', async () => {
    const own = join(dir, 'own');
    mkdirSync(own);
    writeFileSync(join(own, 'a.yaml'), ruleText({ id: 'own-rule' }));
    writeFileSync(join(own, 'b.yaml'), 'schema: 1\n');
    const { code, out } = await cli(['rules', 'list', own]);
    expect(code).toBe(0);
    expect(out).toContain('own-rule');
    expect(out).toMatch(/refused .*b\.yaml:1/);
  });
});

describe('rules lint', () => {
  it('exits 0 for rules without mistakes and 2 where one has any, with path and line', async () => {
    const good = file('good.yaml', ruleText({}));
    const bad = file('bad.yaml', ruleText({}).replace('op: in,', 'op: inn,'));
    expect((await cli(['rules', 'lint', good])).code).toBe(0);
    const { code, json } = await cli(['rules', 'lint', good, bad, '--json']);
    expect(code).toBe(2);
    const { rules, refused } = json<Listed>();
    expect(rules.map(({ place }) => place)).toEqual([good]);
    expect(refused[0]).toMatchObject({ code: 'rule_invalid', place: `${bad}:9` });
    expect(refused[0]?.sentence).toContain('did you mean in?');
  });

  it('a path that is not there is one clear error', async () => {
    const { code, err } = await cli(['rules', 'lint', join(dir, 'nowhere.yaml')]);
    expect(code).not.toBe(0);
    expect(err).toContain('nowhere.yaml');
  });
});

describe('rules test', () => {
  const finding = (facts: object, result = 'fail'): string =>
    JSON.stringify({
      target: { id: 'appliance', role: 'appliance', os_build: null },
      check: { id: 'av_edr', version: 1 },
      ...{ result, severity: 'high', facts, facts_read_at: 1_800_000_000 },
    });

  it('says of each finding of a file which rule would fire, and of the others why not', async () => {
    const rule = file('rule.yaml', ruleText({}));
    const lines = [
      finding({ service: 'failed', binary: 'declared' }),
      finding({ service: 'active', binary: 'declared' }),
      finding({ service: 'failed', binary: 'declared' }, 'unknown'),
    ];
    const findings = file('findings.jsonl', `${lines.join('\n')}\n`);
    const { code, json } = await cli(['rules', 'test', rule, '--findings', findings, '--json']);
    expect(code).toBe(0);
    const rows = json<Tested>().findings;
    expect(rows.map(({ taken }) => taken)).toEqual(['av-stopped', null, null]);
    expect(rows[1]?.rules[0]?.because).toContain('does not hold');
    expect(rows[2]?.rules[0]?.because).toContain('the finding is unknown');
    const { out } = await cli(['rules', 'test', rule, '--findings', findings]);
    expect(out).toContain('av-stopped: fires');
  });

  it('takes the findings of the local log, and lines of a log, each with its seq', async () => {
    const rule = file('rule.yaml', ruleText({}));
    const local = await cli(['rules', 'test', rule, '--state', state.dir, '--json']);
    expect(local.code).toBe(0);
    const seqs = local.json<Tested>().findings.map(({ seq }) => seq);
    expect(seqs.length).toBeGreaterThan(0);
    const lines = file('log.jsonl', state.lines);
    const fromFile = await cli(['rules', 'test', rule, '--findings', lines, '--json']);
    expect(fromFile.json<Tested>().findings.map(({ seq }) => seq)).toEqual(seqs.toReversed());
  });

  it('a line that is no finding is refused with its place, and so is a rule with mistakes', async () => {
    const rule = file('rule.yaml', ruleText({}));
    const odd = file('odd.jsonl', `${finding({})}\n{"result":"fail"}\n`);
    const first = await cli(['rules', 'test', rule, '--findings', odd]);
    expect([first.code, first.err.includes('odd.jsonl:2')]).toEqual([4, true]);
    const wrong = file('wrong.yaml', 'schema: 1\n');
    expect((await cli(['rules', 'test', wrong, '--findings', odd])).code).toBe(2);
  });
});
