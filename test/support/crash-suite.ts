// The promises that must hold after any number of kills; run with few in `npm test` and with two hundred in `test:system`.
import { describe, expect, it } from 'vitest';
import { createLogVerifier } from '../../agent/verify/log-verifier.ts';
import { openRecords } from '../../central/service/central.ts';
import { until } from '../../tools/demo/process.ts';
import type { CrashReport } from './crash-runs.ts';
import { crashRuns, linesOnDisk, orderSteps } from './crash-runs.ts';
import { demoSite } from './demo-site.ts';

export function crashSuite(kills: number, withinMs: number): void {
  const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

  describe(`kill -9 at ${kills} random points of the cycle (CRASH_SEED=${seed})`, () => {
    const site = demoSite();
    let report: CrashReport;
    let lines: readonly string[];

    it(
      `no entry that was on the disk is lost or changed by ${kills} kills`,
      async () => {
        await site.provision();
        site.startAgent();
        await site.confirm();
        await site.endAgent('SIGKILL');
        report = await crashRuns(site, kills, seed);
        // Some lives were long enough to write: otherwise nothing was tried.
        expect(report.lines.length).toBeGreaterThan(Math.max(5, kills / 8));
      },
      withinMs,
    );

    it(`after ${kills} kills every order comes to exactly one end, and none was started twice`, async () => {
      site.startAgent();
      await until(
        'every order has ended and is stored',
        () => {
          const steps = orderSteps(linesOnDisk(site));
          const status = site.status();
          const ended = report.issued.every((id) => steps.get(`${id}/result`) === 1);
          return ended && status?.stored_size === status?.log?.size ? true : null;
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

    it(`after ${kills} kills the chain is intact and Central Command holds the very same lines`, async () => {
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
      const stored = createLogVerifier({ root });
      for (const line of lines.slice(0, logs[0]?.size)) stored.push(line);
      expect(stored.finish().root).toBe(logs[0]?.root);
    });
  });
}
