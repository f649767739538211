// A day in the life of the daemon with seeded faults; a tenth of it here, all of it by DAY_HOURS=24 DAY_SEED=n.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import { chosenSeed } from '../support/acknowledgements.ts';
import { FAULTS } from '../support/day/faults.ts';
import type { DayReport } from '../support/day/report.ts';
import { whyNoWallFile } from '../support/day/wall-file.ts';
import { whyNoLoopDisk } from '../support/loop-disk.ts';
import { namespaceProblem } from '../support/network-namespace.ts';

const PROGRAM = join(import.meta.dirname, '../fixtures/programs/simulate-a-day.ts');
const HOURS = Number(process.env['DAY_HOURS'] ?? 2.4);
/** A whole day takes about a quarter of an hour on an idle machine. */
const LIMIT_MS = 3_600_000;
const MAX_GROWTH = 1.1;

const why = whyNoWallFile() ?? whyNoLoopDisk() ?? namespaceProblem('nft');

describe('a day of simulated life', () => {
  let report: DayReport;

  beforeAll(async () => {
    if (why !== null) return;
    const seed = chosenSeed('DAY_SEED');
    const namespaces = ['--mount', '--net', '--propagation', 'private'];
    const argv = [...namespaces, process.execPath, PROGRAM, '--hours', String(HOURS), '--seed', String(seed)];
    const day = spawn('unshare', argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [output, log, [code]] = await Promise.all([text(day.stdout), text(day.stderr), once(day, 'close')]);
    if (code !== 0) throw new Error(`the day ended with ${String(code)}:\n${log}`);
    report = JSON.parse(output) as DayReport;
    const { faults, ...figures } = report;
    process.stdout.write(`${faults.length} faults; ${JSON.stringify(figures)}\n`);
  }, LIMIT_MS);

  const day = (name: string, look: () => void): void =>
    it(name, (ctx) => {
      ctx.skip(why !== null, why ?? '');
      look();
    });

  day('met every fault of the list, and lasted as long as it was to', () => {
    const met = new Set(report.faults.map((fault) => fault.name));
    expect(FAULTS.map((fault) => fault.name).filter((name) => !met.has(name))).toEqual([]);
    expect(report.hours).toBeGreaterThanOrEqual(HOURS);
  });

  day('the daemon never died: it ended only when it was told to or killed, and no line speaks of a defect', () => {
    expect(report.endings.filter(({ code, asked }) => asked === null || (asked === 'SIGTERM' && code !== 0))).toEqual(
      [],
    );
    expect(report.defects).toBe(0);
    expect(report.otherOutput).toEqual([]);
  });

  day('every fault left a reason that names it, in the log, in the status or in the evidence', () => {
    expect(report.faults.filter((fault) => fault.named.length === 0)).toEqual([]);
  });

  day(
    'no finding passed without a proof: each pass has a reading of its tool, and none came while the tool was broken',
    () => {
      expect(report.passes).toBeGreaterThan(0);
      expect([report.passesWithoutRead, report.passesWhileBlind]).toEqual([0, 0]);
    },
  );

  day('in the end nothing stood in its way, all evidence was uploaded, and both sides verify the same log', () => {
    expect(report.quiet).toBe(true);
    expect(report.size).toBeGreaterThan(report.faults.length);
    expect(report.storedSize).toBe(report.size);
    expect(report.own.ok).toBe(true);
    expect(report.central).toMatchObject({ ok: true, size: report.own.size, root: report.own.root });
  });

  day('memory at the end was at most a tenth above what it was after the warm-up', () => {
    expect(report.rssMib.afterWarmUp).toBeGreaterThan(0);
    expect(report.rssMib.end).toBeLessThanOrEqual(MAX_GROWTH * report.rssMib.afterWarmUp);
  });
});
