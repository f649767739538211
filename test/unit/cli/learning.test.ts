import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LearningDeps } from '../../../agent/healing/learning/record-case.ts';
import { makeCliState, type CliState } from '../../support/cli-state.ts';
import { healed, pattern, seen } from '../../support/learning-fixtures.ts';
import { cli } from '../../support/run-cli.ts';
import { open } from '../../support/store-fixtures.ts';

let state: CliState;
let empty: CliState;
beforeAll(() => {
  empty = makeCliState();
  state = makeCliState();
  const store = open(state.dir);
  // What is entered into the log is not what is shown here.
  const deps = { store, evidence: { append: () => undefined } } as unknown as LearningDeps;
  seen(deps, 5);
  healed(deps, 3);
  store.close();
});
afterAll(() => {
  for (const { dir } of [state, empty]) rmSync(dir, { recursive: true, force: true });
});

const on = ({ dir }: CliState, ...argv: string[]) => cli([...argv, '--state', dir]);

it('learning list says how often each pattern was seen and whether it has earned a rule', async () => {
  const { code, json } = await on(state, 'learning', 'list', '--json');
  expect(code).toBe(0);
  expect(json()).toMatchObject({
    patterns: [{ pattern: pattern.sha256, check: 'windows_av', occurrences: 5, candidate: true, because: null }],
  });
  expect((await on(state, 'learning', 'list')).out).toMatch(/windows_av on workstation +seen 5 .*candidate/);
  expect((await on(empty, 'learning', 'list')).out).toContain('the daemon of this version counts nothing yet');
});

it('learning show names what was tried and verified, and the rule that a candidate would make', async () => {
  const { json } = await on(state, 'learning', 'show', pattern.sha256, '--json');
  expect(json()).toMatchObject({
    remedies: [{ runbook: 'RB-WIN-AV-001', tried: 3, verified: 3, l2_verified: 3, mean_ms: 12_000 }],
    rule: { schema: 'compliance-agent/rule/v1', runbook: 'RB-WIN-AV-001', source: 'promoted' },
    no_rule: null,
  });
  const { code, out } = await on(state, 'learning', 'show', pattern.sha256.slice(0, 8));
  expect(code).toBe(0);
  expect(out).toContain('3 of 3 verified');
});

it.each(['', 'abc', 'ffffffff', '../../etc/passwd'])('learning show of %j is one clear error', async (typed) => {
  const { code, err } = await on(state, 'learning', 'show', typed);
  expect(code).toBe(2);
  expect(err).toContain('learning list');
  expect(err).toContain('pattern_unknown');
});
