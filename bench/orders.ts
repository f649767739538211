// What it costs an appliance to take an order: the judgement alone (two implementations verify each signature, then thirteen steps),
// and whole, until acceptance, floor and evidence entry are on the disk in one transaction.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { acceptOrder } from '../agent/guards/order-acceptance.ts';
import { receiveOrders } from '../agent/orders/receive-orders.ts';
import { acceptanceContext, disruptiveOrder, NIGHT } from '../test/support/acceptance-fixtures.ts';
import { openLog, trust } from '../test/support/evidence-fixtures.ts';
import { memoryLog } from '../test/support/fakes/memory-log.ts';
import { NOW, uuidOf } from '../test/support/trust-fixtures.ts';
import { rowOf, type BenchRow } from './bench-row.ts';

const FULL = { runs: 5, orders: 200 } as const;
const SMOKE = { runs: 1, orders: 4 } as const;

const plain = (n: number): string => trust.sign('order', trust.order({ order_id: uuidOf(n), seq: n }));
/** With an authorisation that two persons signed: three signatures, six verifications. */
const authorised = (n: number): string =>
  trust.sign('order', disruptiveOrder(trust, { order: { order_id: uuidOf(n), seq: n } }));

export function benchOrders({ smoke = false } = {}): BenchRow[] {
  const { runs, orders } = smoke ? SMOKE : FULL;
  const lines = (make: (n: number) => string): string[] => Array.from({ length: orders }, (_, i) => make(i + 1));
  const [plainLines, authorisedLines] = [lines(plain), lines(authorised)];
  const perOrder = (work: () => void): number => {
    const start = performance.now();
    work();
    return (performance.now() - start) / orders;
  };
  const repeat = (work: () => void): number[] => {
    work();
    return Array.from({ length: runs }, () => perOrder(work));
  };
  const judged = (all: readonly string[], nowT: number) => (): void => {
    for (const line of all) mustAccept(acceptOrder(line, acceptanceContext(trust, { nowT })).verdict === 'accepted');
  };
  return [
    rowOf('order judged, no authorisation', 'ms', repeat(judged(plainLines, NOW))),
    rowOf('order judged, authorised by two persons', 'ms', repeat(judged(authorisedLines, NIGHT))),
    rowOf(
      'order judged, accepted and on the disk',
      'ms',
      Array.from({ length: runs }, () => received(plainLines)),
    ),
  ];
}

/** One order in each answer, as it is in life. @returns milliseconds each */
function received(lines: readonly string[]): number {
  const dir = mkdtempSync(join(import.meta.dirname, '.orders-'));
  try {
    const { store, log } = openLog(dir);
    const acceptance = () => acceptanceContext(trust, { floor: store.orders.floor(1) });
    const deps = { store, evidence: log, log: memoryLog(), acceptance, now: () => NOW };
    const start = performance.now();
    for (const line of lines) mustAccept(receiveOrders([line], deps).accepted === 1);
    const each = (performance.now() - start) / lines.length;
    store.close();
    return each;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function mustAccept(isAccepted: boolean): void {
  if (!isAccepted) throw new Error('a good order was not accepted');
}
