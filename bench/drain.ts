// A long outage ends: how fast a backlog drains to a real Central Command in a process of its own, over TLS on loopback,
// every receipt checked; at two sizes, with the memory of the draining process.
import { enrolAppliance } from '../test/support/enrolled-appliance.ts';
import { startRealCentral, type RealCentral } from '../test/support/real-central.ts';
import { rowOf, type BenchRow } from './bench-row.ts';

const FULL = { sizes: [1_700, 17_000], runs: 5 } as const;
const SMOKE = { sizes: [60, 600], runs: 1 } as const;
/** Entries per transaction while the backlog is made: making it is not measured. */
const FILL_BATCH = 1_000;
const MIB = 1_048_576;

interface Drain {
  readonly perSecond: number;
  readonly seconds: number;
  /** Highest minus first resident size of this process while it drained, MiB. */
  readonly growthMib: number;
  /** On the wire, both ways, per entry. */
  readonly bytesPerEntry: number;
}

export async function benchDrain(o: { smoke?: boolean } = {}): Promise<BenchRow[]> {
  const { sizes, runs } = o.smoke === true ? SMOKE : FULL;
  const central = await startRealCentral();
  try {
    // The first drain of a process pays for loading and compiling; it is not counted.
    await drainOnce(central, 'warm-up', sizes[0]);
    const rows: BenchRow[] = [];
    for (const size of sizes) {
      const drains: Drain[] = [];
      for (let run = 0; run < runs; run++) drains.push(await drainOnce(central, `box-${size}-${run}`, size));
      const name = `drain of ${size.toLocaleString('en')} entries`;
      rows.push(
        rowOf(
          `${name}, speed`,
          'entries/s',
          drains.map((drain) => drain.perSecond),
        ),
        rowOf(
          `${name}, time`,
          's',
          drains.map((drain) => drain.seconds),
        ),
        rowOf(
          `${name}, growth of memory`,
          'MiB',
          drains.map((drain) => drain.growthMib),
        ),
        rowOf(
          `${name}, bytes on the wire per entry`,
          'B',
          drains.map((drain) => drain.bytesPerEntry),
        ),
      );
    }
    const [small, , , , large] = rows;
    return rows.map((row) => (row === large ? { ...row, against: small!.name, ratio: row.value / small!.value } : row));
  } finally {
    await central.remove();
  }
}

async function drainOnce(central: RealCentral, applianceId: string, backlog: number): Promise<Drain> {
  const appliance = await enrolAppliance(central, { applianceId });
  try {
    // Entry 0, the binding, is part of the backlog.
    for (let left = backlog - 1; left > 0; left -= FILL_BATCH) {
      appliance.store.unit(() => appliance.append(Math.min(left, FILL_BATCH)));
    }
    await appliance.checkIn();
    const before = appliance.store.uplink.bytes();
    const signal = new AbortController().signal;
    const firstRss = process.memoryUsage.rss();
    let highestRss = firstRss;
    const startedMs = performance.now();
    for (let remaining = backlog; remaining > 0;) {
      const step = await appliance.uplink.uploadOnce(signal);
      if (step.uploaded === 0) throw new Error(`the drain stands still: ${step.parked?.sentence ?? 'no reason'}`);
      remaining = step.remaining;
      highestRss = Math.max(highestRss, process.memoryUsage.rss());
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    const receipt = appliance.store.uplink.latestReceipt(appliance.identity.origin);
    if (receipt?.size !== backlog || receipt.root !== appliance.evidence.root()) throw new Error('no receipt over all');
    const after = appliance.store.uplink.bytes();
    return {
      perSecond: backlog / seconds,
      seconds,
      growthMib: (highestRss - firstRss) / MIB,
      bytesPerEntry: (after.sent + after.received - before.sent - before.received) / backlog,
    };
  } finally {
    await appliance.close();
  }
}
