import { describe, expect, it } from 'vitest';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import { isDryRunByPolicy, outcomeOf, runRunbookHandler } from '../../../agent/daemon/order-handlers/run-runbook.ts';
import type { LongHandler } from '../../../agent/orders/order-handler.ts';
import type { Order } from '../../../agent/wire/schemas/order.ts';
import { loadedRunbook, TEST_CHECK } from '../../support/runbook-fixtures.ts';

const BOOK = { loaded: loadedRunbook(), check: TEST_CHECK };
const LINK = { digest: 'ab'.repeat(32), authorisationDigest: null };
const TARGETS = [{ id: 'srv-1' }];

/** An appliance that holds one runbook; what would run it is not there, so that a run would fail as a defect. */
const carryOut = (order: Partial<Order>) => {
  const context = {
    state: { enrolled: {} },
    windows: { books: [BOOK] },
    appliance: { books: [] },
  } as unknown as DaemonContext;
  const handler = runRunbookHandler(context) as LongHandler;
  const runbook = { id: BOOK.loaded.runbook.id, version: 1, sha256: BOOK.loaded.sha256 };
  return handler.act({ runbook, params: {}, targets: TARGETS, ...order } as Order, new AbortController().signal, LINK);
};

describe('an order to run a runbook runs nothing', () => {
  it.each<[string, Partial<Order>, string]>([
    ['with a param that the runbook does not have', { params: { lest_level: 3 } }, 'runbook_params_invalid'],
    ['with a param beyond its range', { params: { least_level: 11 } }, 'runbook_params_invalid'],
    ['with an action that there is not', { params: { action: 'heal' } }, 'runbook_params_invalid'],
    ['without a target', { targets: [] }, 'runbook_targets_missing'],
    [
      'of another digest',
      { runbook: { id: BOOK.loaded.runbook.id, version: 1, sha256: '0'.repeat(64) } },
      'runbook_unknown',
    ],
  ])('%s', async (_name, order, code) => {
    expect(await carryOut(order)).toMatchObject({ kind: 'failed', code, result: {} });
  });

  it('and no target tried is no success', () => {
    expect(outcomeOf([], 0)).toMatchObject({ kind: 'failed', code: 'runbook_targets_missing' });
  });
});

describe('an order to run a runbook changes nothing', () => {
  it.each([
    ['dry_run', 'on', true],
    ['dry_run', 'off', true],
    ['on', 'dry_run', true],
    ['on', 'on', false],
  ] as const)('where the site policy says dry run, whatever else it says: site %s, runbook %s', (mode, own, isDry) => {
    const runbook = { id: BOOK.loaded.runbook.id, version: 1, sha256: BOOK.loaded.sha256 };
    const policy = { healing: { mode, runbooks: [{ id: runbook.id, mode: own }] } };
    expect(isDryRunByPolicy({ runbook }, policy)).toBe(isDry);
  });
});
