import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { decisionOn } from '../../../agent/healing/learning/decisions.ts';
import type { LearningDeps } from '../../../agent/healing/learning/record-case.ts';
import { parseRule } from '../../../agent/healing/rule.ts';
import { dropControl, takeControlDrops } from '../../../agent/system/status-file.ts';
import { readGrants } from '../../../central/cli/read-grants.ts';
import { makeCliState, type CliState } from '../../support/cli-state.ts';
import { healed, pattern, seen } from '../../support/learning-fixtures.ts';
import { AV } from '../../support/planner-fixtures.ts';
import { cli } from '../../support/run-cli.ts';
import { open } from '../../support/store-fixtures.ts';

const RUNBOOKS = join(import.meta.dirname, '../../../runbooks');
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
    patterns: [
      {
        pattern: pattern.sha256,
        check: 'windows_av',
        occurrences: 5,
        candidate: true,
        because: null,
        standing: 'candidate',
      },
    ],
  });
  expect((await on(state, 'learning', 'list')).out).toMatch(/windows_av on workstation +seen 5 .*candidate/);
  expect((await on(empty, 'learning', 'list')).out).toContain('nothing was counted yet');
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

it('learning approve writes the rule and the grant as people then sign them, asks the daemon to say so, and writes no database', async () => {
  const dir = join(state.dir, 'to-sign');
  const argv = ['learning', 'approve', pattern.sha256, '--dir', dir, '--json', '--state', state.dir];
  const { code, json } = await cli(argv, { deps: { loadChecks: (path) => loadChecks(RUNBOOKS, path) } });
  expect(code).toBe(0);
  const { rule, grant, rule_sha256: sha256 } = json() as { rule: string; grant: string; rule_sha256: string };
  const parsed = parseRule(readFileSync(rule), rule);
  expect([parsed.sha256, parsed.file.source]).toEqual([sha256, 'promoted']);
  expect(takeControlDrops(state.dir)).toMatchObject([
    { verb: 'learning_approve', pattern: pattern.sha256, rule: sha256 },
  ]);
  // As central-command content sign --grants reads it.
  const file = join(dir, 'grants.yaml');
  writeFileSync(file, `grants:\n${readFileSync(grant, 'utf8')}`);
  const listed = (kind: 'rule' | 'runbook' | 'baseline', id: string, digest: string) => ({
    ...{ path: `${kind}s/${id}`, kind, id, version: 1, sha256: digest, size: 1 },
  });
  const files = [
    listed('rule', parsed.file.id, sha256),
    listed('runbook', 'RB-WIN-AV-001', AV.sha256),
    listed('baseline', 'appliance', 'aa'.repeat(32)),
  ];
  const [granted] = readGrants(file, files, 0);
  expect(granted).toMatchObject({ rule: { sha256 }, scope: 'targets', class: 'routine', limits: { per_day: 2 } });
  const store = open(state.dir);
  expect(decisionOn(store, pattern.sha256)).toBeNull();
  store.close();
});

it('learning reject asks the daemon to say so, and a pattern that is no candidate cannot be approved', async () => {
  expect((await on(state, 'learning', 'reject', pattern.sha256)).code).toBe(0);
  expect(takeControlDrops(state.dir)).toMatchObject([{ verb: 'learning_reject', pattern: pattern.sha256 }]);
  const store = open(empty.dir);
  seen({ store, evidence: { append: () => undefined } } as unknown as LearningDeps, 4);
  store.close();
  const { code, err } = await on(empty, 'learning', 'approve', pattern.sha256, '--dir', join(empty.dir, 'to-sign'));
  expect([code, err]).toMatchObject([4, expect.stringContaining('learning_no_rule')]);
  expect(existsSync(join(empty.dir, 'to-sign'))).toBe(false);
});

it.each([
  ['learning_approve', { pattern: 'ab'.repeat(32) }],
  ['learning_approve', { pattern: 'ab'.repeat(32), rule: '../x' }],
  ['learning_reject', { pattern: 'AB'.repeat(32) }],
  ['learning_reject', {}],
] as const)('a request %s with %j is none', (verb, extra) => {
  dropControl(state.dir, verb, 'x', extra);
  expect(takeControlDrops(state.dir)).toEqual([{ name: 'x.json', verb: 'unknown' }]);
});

it.each(['', 'abc', 'ffffffff', '../../etc/passwd'])('learning show of %j is one clear error', async (typed) => {
  const { code, err } = await on(state, 'learning', 'show', typed);
  expect(code).toBe(2);
  expect(err).toContain('learning list');
  expect(err).toContain('pattern_unknown');
});
