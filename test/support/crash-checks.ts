// What must hold in a store after its program was stopped anywhere: nothing acknowledged lost or doubled, units and tree whole.
import { expect } from 'vitest';
import { payloadDigest } from '../../agent/wire/document.ts';
import { parseEnvelope } from '../../agent/wire/dsse.ts';
import { MAX_ENTRY_BYTES } from '../../agent/wire/schemas/entry.ts';
import type { Acknowledged, Acknowledgement } from './acknowledgements.ts';
import { linesOf, openLog, statementIn, verdictOn } from './evidence-fixtures.ts';
import { expectWholeTree } from './tree-checks.ts';

/** Entries that one step of append-until-killed.ts commits at most before it acknowledges them. */
const MAX_UNACKNOWLEDGED = 2;

/** Opens the store as the daemon does and holds it against everything acknowledged so far. Gives the log's size. */
export function expectNothingLost(dir: string, acknowledged: readonly Acknowledgement[]): number {
  const { store, log } = openLog(dir);
  try {
    expect(store.pragmaCheck()).toBe('ok');
    expect(verdictOn(store)).toMatchObject({ ok: true, size: log.size(), root: log.root() });
    const lines = linesOf(store);
    const seqs = acknowledged.flatMap(({ entry }) => entry ?? []);
    expect(new Set(seqs).size).toBe(seqs.length);
    for (const { entry, digest } of acknowledged) {
      if (entry === undefined) continue;
      expect(lines[entry], `entry ${entry} was acknowledged`).toBeDefined();
      const found = payloadDigest(parseEnvelope(lines[entry]!, { maxBytes: MAX_ENTRY_BYTES }));
      if (digest !== undefined) expect(found).toBe(digest);
    }
    expectWholeTree({ store });
    expectWholeUnits(store, lines, acknowledged);
    return log.size();
  } finally {
    store.close();
  }
}

/** Entry and row came together or not at all. */
function expectWholeUnits(
  store: ReturnType<typeof openLog>['store'],
  lines: readonly string[],
  acknowledged: readonly Acknowledgement[],
): void {
  const predicates = lines.map((line) => statementIn(line).predicate);
  const rows = store.orders.list(1_000_000).toReversed();
  const orders = predicates.flatMap((p) => (p.kind === 'order' ? [[p.order_id, p.order_seq, p.seq]] : []));
  expect(rows.map((row) => [row.orderId, row.seq, row.evidenceSeq])).toEqual(orders);
  expect(store.orders.floor(1)).toBe(rows.length);
  const known = new Set(rows.map((row) => row.orderId));
  for (const { order } of acknowledged) if (order !== undefined) expect(known.has(order)).toBe(true);
  for (const state of store.findings.all()) {
    const newest = predicates.findLast((p) => p.kind === 'finding' && p.check.id === state.checkId);
    expect(newest).toMatchObject({ seq: state.sinceSeq, facts_digest: state.recordedDigest });
  }
}

/** At most the work that was under way is there beyond what was acknowledged: nothing was written twice. */
export function expectNothingDoubled(size: number, earlier: number, { before, since }: Acknowledged): void {
  const entriesIn = (list: readonly Acknowledgement[]): number =>
    list.filter(({ entry }) => entry !== undefined).length;
  expect(size - earlier).toBeGreaterThanOrEqual(entriesIn(before));
  expect(size - earlier).toBeLessThanOrEqual(entriesIn(before) + entriesIn(since) + MAX_UNACKNOWLEDGED);
}
