import { describe, expect, it } from 'vitest';
import { outcomeOf } from '../../../agent/daemon/order-handlers/run-runbook.ts';
import { ALL_CHECKS } from '../../../agent/daemon/run-checks.ts';
import { expectedTargets, rememberTargets, scopeOf } from '../../../agent/daemon/windows-scope.ts';
import type { RunResult } from '../../../agent/execution/run-request.ts';
import type { ActionOutcome } from '../../../agent/wire/schemas/primitives.ts';
import { loadedRunbook, TEST_CHECK } from '../../support/runbook-fixtures.ts';

const BOOK = { loaded: loadedRunbook(), check: TEST_CHECK };
const ended = (outcome: ActionOutcome, changes = 0): RunResult => ({
  outcome,
  code: outcome === 'success' ? null : 'runbook_reverted',
  sentence: outcome,
  changes,
});

describe('the result of an order on several targets', () => {
  it('is success only where every one of them was verified', () => {
    expect(outcomeOf([ended('success', 2), ended('success', 0)], 2)).toMatchObject({
      kind: 'done',
      result: { targets: 2, success: 2, not_tried: 0, changes: 2 },
    });
  });

  it.each<[ActionOutcome[], string, string]>([
    [['success', 'failed'], 'failed', 'failed'],
    [['success', 'reverted'], 'ended', 'reverted'],
    [['success', 'alert', 'deferred'], 'ended', 'alert'],
    [['success', 'deferred'], 'ended', 'deferred'],
    [['dry_run', 'dry_run'], 'ended', 'dry_run'],
    [['success', 'rejected'], 'ended', 'rejected'],
  ])('is the worst of theirs: %j is %s', (outcomes, kind, worst) => {
    const result = outcomeOf(
      outcomes.map((one) => ended(one)),
      outcomes.length + 1,
    );
    expect(result).toMatchObject({ kind, sentence: worst, result: { not_tried: 1 } });
    if (kind === 'ended') expect(result).toMatchObject({ outcome: worst });
  });
});

describe('what is expected to be observed', () => {
  it('is the appliance alone without targets, and each check of each target with them', () => {
    expect(scopeOf([], [BOOK], null)).toHaveLength(ALL_CHECKS.length);
    const scope = scopeOf(['srv-1', 'srv-2'], [BOOK], null).slice(ALL_CHECKS.length);
    expect(scope.map(({ target, check }) => `${target} ${check}`)).toEqual([
      'appliance windows_targets',
      'srv-1 windows_test',
      'srv-2 windows_test',
    ]);
  });

  it('stays what it was while no targets are handed out', () => {
    const kept = new Map<string, string>();
    const settings = {
      get: (key: string) => kept.get(key) ?? null,
      set: (key: string, text: string) => void kept.set(key, text),
    };
    rememberTargets({ settings }, ['srv-2', 'srv-1']);
    rememberTargets({ settings }, []);
    expect(expectedTargets({ settings })).toEqual(['srv-1', 'srv-2']);
  });
});
