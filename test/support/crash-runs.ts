// Stops the daemon at random moments of its work and holds the log on its disk against what was there before.
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
import { seededRandom } from './acknowledgements.ts';

export interface CrashReport {
  readonly seed: number;
  readonly stops: number;
  /** Entries that somebody had read from the disk before the stop that followed them: committed, beyond doubt. */
  readonly acknowledged: number;
  /** Lines of the log after the last stop. */
  readonly lines: readonly string[];
  readonly issued: readonly string[];
}

const PAGE = { maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 };
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

/** Ends the running daemon without warning; the disk can be read again when it returns. */
export type Stop = (site: Site) => Promise<unknown>;

export const killNine: Stop = (site) => site.endAgent('SIGKILL');

export interface CrashPlan {
  readonly stops: number;
  /** Printed by the caller: the same seed stops after the same parts of a life. */
  readonly seed: number;
  readonly stop: Stop;
  /** Lives end anywhere from before the store is open to this long after a start takes on this machine: well into the cycle. */
  readonly beyondStartMs: number;
}

/** @throws when a line that was on the disk is missing or changed after a later stop */
export async function crashRuns(site: Site, { stops, seed, stop, beyondStartMs }: CrashPlan): Promise<CrashReport> {
  const longest = (await startMs(site)) + beyondStartMs;
  const random = seededRandom(seed);
  const lives = Array.from({ length: stops }, () => SHORTEST_LIFE_MS + (longest - SHORTEST_LIFE_MS) * random());
  const issued: string[] = [];
  let before: string[] = linesOnDisk(site);
  let acknowledged = 0;
  for (const [index, life] of lives.entries()) {
    if (index % ORDER_EVERY === 0) issued.push(issue(site, index));
    site.startAgent();
    await sleep(life);
    // What another program reads was committed: SQLite shows an entry to others after it was flushed (WAL, synchronous=FULL).
    const seen = linesOnDisk(site);
    acknowledged += seen.length - before.length;
    await stop(site);
    const after = linesOnDisk(site);
    for (const earlier of [before, seen]) {
      earlier.forEach((line, seq) => {
        if (after[seq] !== line) throw new Error(`stop ${index} of seed ${seed}: entry ${seq} is lost or changed`);
      });
    }
    before = after;
  }
  return { seed, stops, acknowledged, lines: before, issued };
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
    const keys = loadOnlineKeys(site.paths.data, records.trust.root().root);
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
