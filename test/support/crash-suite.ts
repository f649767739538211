// The promises that must hold after any number of stops without warning: kills in `npm test` and, many more, in `test:system`;
// power cuts in `test:system`.
import type { TestContext } from 'vitest';
import { beforeEach, describe, expect, it } from 'vitest';
import { createLogVerifier } from '../../agent/verify/log-verifier.ts';
import { openRecords } from '../../central/service/central.ts';
import { until } from '../../tools/demo/process.ts';
import type { Site } from '../../tools/demo/site.ts';
import type { CrashReport, Stop } from './crash-runs.ts';
import { crashRuns, killNine, linesOnDisk, orderSteps } from './crash-runs.ts';
import { demoSite } from './demo-site.ts';

/** Long enough for a few entries, short enough for hundreds of lives. */
const BEYOND_START_MS = 1_700;

export interface CrashSuite {
  readonly stops: number;
  /** What the stops are called in the names of the tests. */
  readonly called: 'kills' | 'power cuts';
  readonly title: string;
  readonly withinMs: number;
  readonly stop?: Stop;
  /** Longest life of the daemon after its start. */
  readonly beyondStartMs?: number;
  /** Before the site is made. */
  readonly prepare?: (site: Site) => void;
  /** Skips, with the reason, where the stops cannot be made. */
  readonly skipUnlessPossible?: (context: TestContext) => void;
}

export function crashSuite(suite: CrashSuite): void {
  const { stops, called, withinMs, beyondStartMs = BEYOND_START_MS, stop = killNine } = suite;
  const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

  describe(`${suite.title} (CRASH_SEED=${seed})`, () => {
    const site = demoSite();
    let report: CrashReport;
    let lines: readonly string[];
    beforeEach((context) => suite.skipUnlessPossible?.(context));

    it(
      `no entry that was on the disk is lost or changed by ${stops} ${called}`,
      async () => {
        suite.prepare?.(site);
        await site.provision();
        site.startAgent();
        await site.confirm();
        await site.endAgent('SIGKILL');
        report = await crashRuns(site, { stops, seed, stop, beyondStartMs });
        process.stdout.write(
          `${called}: ${stops}, seed ${seed}: ${report.lines.length} entries, ${report.acknowledged} of them read before the stop, ${report.issued.length} orders\n`,
        );
        // Some lives were long enough to write: otherwise nothing was tried.
        expect(report.lines.length).toBeGreaterThan(Math.max(5, stops / 8));
        expect(report.acknowledged).toBeGreaterThan(0);
      },
      withinMs,
    );

    it(`after ${stops} ${called} every order comes to exactly one end, and none was started twice`, async () => {
      site.startAgent();
      await until(
        'every order has ended and is stored',
        () => {
          const steps = orderSteps(linesOnDisk(site));
          const status = site.status();
          const ended = report.issued.every((id) => steps.get(`${id}/result`) === 1);
          const stored = status?.stored_size ?? 0;
          return ended && stored >= report.lines.length && stored === status?.log?.size ? true : null;
        },
        60_000,
        () => site.agentProcess()?.output().slice(-3_000) ?? '',
      );
      await site.endAgent('SIGTERM');
      lines = linesOnDisk(site);
      const steps = orderSteps(lines);
      expect([...steps].filter(([, count]) => count > 1)).toEqual([]);
      for (const id of report.issued) expect(steps.get(`${id}/accepted`)).toBe(1);
    });

    it(`after ${stops} ${called} the chain is intact and Central Command holds the very same lines`, async () => {
      const records = openRecords(site.paths.data);
      const { root } = records.trust.root();
      records.close();
      const verifier = createLogVerifier({ root });
      for (const line of lines) verifier.push(line);
      expect(verifier.finish()).toMatchObject({ ok: true, size: lines.length });
      const { logs } = (await site.central('evidence', 'verify')) as {
        logs: { ok: boolean; size: number; root: string }[];
      };
      expect(logs[0]?.ok).toBe(true);
      expect(logs[0]?.size).toBeGreaterThanOrEqual(report.lines.length);
      const stored = createLogVerifier({ root });
      for (const line of lines.slice(0, logs[0]?.size)) stored.push(line);
      expect(stored.finish().root).toBe(logs[0]?.root);
    });
  });
}
