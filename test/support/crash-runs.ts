// Kills the daemon at random moments of its work and holds the log on its disk against what was there before.
import fc from 'fast-check';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OrderWish } from '../../central/service/issue-order.ts';
import { issueOrder } from '../../central/service/issue-order.ts';
import { openRecords } from '../../central/service/central.ts';
import { loadOnlineKeys } from '../../central/keys/online-keys.ts';
import { openStore } from '../../agent/store/open-store.ts';
import { systemClock } from '../../agent/system/clock.ts';
import { statementOf } from '../../agent/cli/entry-summary.ts';
import type { PredicateOf } from '../../agent/wire/schemas/entry.ts';
import type { Site } from '../../tools/demo/site.ts';
import { APPLIANCE } from '../../tools/demo/site.ts';

export interface CrashReport {
  readonly seed: number;
  readonly kills: number;
  /** Lines of the log after the last kill. */
  readonly lines: readonly string[];
  readonly issued: readonly string[];
}

const PAGE = { maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 };
/** Lives end anywhere from before the store is open to this long after a start takes on this machine: well into the cycle. */
const BEYOND_START_MS = 1_700;
const SHORTEST_LIFE_MS = 60;
/** An order is issued before every third start, so that each of its steps is met by some kill. */
const ORDER_EVERY = 3;

/** All lines of the log as they lie on the disk. */
export function linesOnDisk(site: Site): string[] {
  const store = openStore({ dir: site.paths.state, clock: systemClock, readOnly: true });
  try {
    return store.entries.range(1, 0, PAGE).map((row) => row.line);
  } finally {
    store.close();
  }
}

/**
 * @param seed printed by the caller: the same seed kills after the same parts of a life
 * @throws when a line that was on the disk is missing or changed after a later kill
 */
export async function crashRuns(site: Site, kills: number, seed: number): Promise<CrashReport> {
  const longest = (await startMs(site)) + BEYOND_START_MS;
  const parts = fc.sample(fc.integer({ min: 0, max: 1_000 }), { seed, numRuns: kills });
  const lives = parts.map((part) => SHORTEST_LIFE_MS + ((longest - SHORTEST_LIFE_MS) * part) / 1_000);
  const issued: string[] = [];
  let before: string[] = linesOnDisk(site);
  for (const [index, life] of lives.entries()) {
    if (index % ORDER_EVERY === 0) issued.push(issue(site, index));
    site.startAgent();
    await sleep(life);
    await site.endAgent('SIGKILL');
    const after = linesOnDisk(site);
    before.forEach((line, seq) => {
      if (after[seq] !== line) throw new Error(`kill ${index} of seed ${seed}: entry ${seq} is lost or changed`);
    });
    before = after;
  }
  return { seed, kills, lines: before, issued };
}

/** How long a start takes here and now, up to the daemon's own word that it has started. */
async function startMs(site: Site): Promise<number> {
  const began = performance.now();
  site.startAgent();
  await site.untilStatus('started', () => true);
  const took = performance.now() - began;
  await site.endAgent('SIGKILL');
  return took;
}

function issue(site: Site, index: number): string {
  const records = openRecords(site.paths.data);
  try {
    const kinds: Pick<OrderWish, 'kind' | 'params'>[] = [
      { kind: 'run_check', params: {} },
      { kind: 'set_healing', params: { action: 'pause', minutes: 1 + (index % 50) } },
      { kind: 'collect_diagnostics', params: { items: ['queue', 'orders'] } },
    ];
    const what = kinds[(index / ORDER_EVERY) % kinds.length] ?? { kind: 'run_check' };
    const keys = loadOnlineKeys(site.paths.data);
    return issueOrder({ ...records, keys }, { applianceId: APPLIANCE, issuedBy: 'test', ...what }).order.order_id;
  } finally {
    records.close();
  }
}

/** How often each step of each order stands in the log, as `order_id/state`. */
export function orderSteps(lines: readonly string[]): Map<string, number> {
  const steps = new Map<string, number>();
  for (const line of lines) {
    const { predicate } = statementOf(line);
    if (predicate.kind !== 'order') continue;
    const { order_id, state }: PredicateOf<'order'> = predicate;
    const key = `${order_id ?? 'unread'}/${state}`;
    steps.set(key, (steps.get(key) ?? 0) + 1);
  }
  return steps;
}
