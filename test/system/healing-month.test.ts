// A month of healing by the real daemon in a process of its own, with kill -9 in the middle of its runs: what must never happen, by its
// log and by what the machines noted. A few days of two seeds here; HEALING_MONTH_DAYS=30 HEALING_MONTH_SEEDS=n for whole months.
import { availableParallelism } from 'node:os';
import { beforeAll, describe, expect, it } from 'vitest';
import { createLogVerifier } from '../../agent/verify/log-verifier.ts';
import { openRecords } from '../../central/service/central.ts';
import { minutesToHeal, runsOf, shares, violations } from '../lab/healing-month/invariants.ts';
import { runHealingMonth, type HealingMonth } from '../lab/healing-month/run-healing-month.ts';
import { whyNoWallFile } from '../support/day/wall-file.ts';

const DAYS = Number(process.env['HEALING_MONTH_DAYS'] ?? 3);
const SEEDS = Number(process.env['HEALING_MONTH_SEEDS'] ?? 2);
const FIRST_SEED = Number(process.env['HEALING_MONTH_FIRST_SEED'] ?? 1);
/** Scripts of runs between two kills. */
const KILL_EVERY = [1, 6] as const;
const LIMIT_MS = 6 * 3_600_000;
const MAX_GROWTH = 1.1;

const why = whyNoWallFile();

interface Lived {
  readonly month: HealingMonth;
  readonly verdict: { readonly ok: boolean; readonly size: number };
}

describe('a month of healing by the daemon', () => {
  const lived: Lived[] = [];

  beforeAll(async () => {
    if (why !== null) return;
    const seeds = Array.from({ length: SEEDS }, (_, n) => FIRST_SEED + n);
    const worker = async (): Promise<void> => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        await runHealingMonth({ seed, days: DAYS, killEvery: KILL_EVERY }, (month, { site }) => {
          const records = openRecords(site.paths.data);
          const { root } = records.trust.root();
          records.close();
          const verifier = createLogVerifier({ root });
          for (const line of month.lines) verifier.push(line);
          const { ok, size } = verifier.finish();
          lived.push({ month, verdict: { ok, size } });
          tell(month);
        });
      }
    };
    await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  }, LIMIT_MS);

  const month = (name: string, look: (months: readonly Lived[]) => void): void =>
    it(name, (ctx) => {
      ctx.skip(why !== null, why ?? '');
      expect(lived).toHaveLength(SEEDS);
      look(lived);
    });

  month('breaks no invariant, whatever the seed and wherever it is killed', (all) => {
    for (const { month: one } of all) {
      const broken = Object.entries(violations(one)).filter(([, list]) => list.length > 0);
      expect(broken, `seed ${one.seed}`).toEqual([]);
    }
  });

  month('was killed in the middle of runs, lost no entry of its log, and ended nowhere by itself', (all) => {
    const cuts = all.flatMap(({ month: { cuts } }) => Object.values(cuts));
    expect(cuts.reduce((sum, n) => sum + n, 0)).toBeGreaterThan(SEEDS * DAYS);
    for (const { month: one, verdict } of all) {
      expect(verdict).toEqual({ ok: true, size: one.lines.length });
      expect(one.defects).toEqual([]);
    }
  });

  month(
    'healed by rules, and by what people ordered after a language model proposed it; the rest went to people',
    (all) => {
      const runs = all.flatMap(({ month: one }) => runsOf(one)).filter(({ outcome }) => outcome === 'success');
      expect(runs.some(({ byOrder }) => !byOrder)).toBe(true);
      expect(runs.some(({ byOrder }) => byOrder)).toBe(true);
      const total = all.reduce((sum, { month: one }) => sum + shares(one).people, 0);
      expect(total).toBeGreaterThan(0);
    },
  );

  month('had at its end at most a tenth more memory than after the warm-up', (all) => {
    for (const { month: one } of all) {
      expect(one.rss.afterWarmUp).toBeGreaterThan(0);
      expect(one.rss.end, `seed ${one.seed}`).toBeLessThanOrEqual(MAX_GROWTH * one.rss.afterWarmUp);
    }
  });
});

function tell(month: HealingMonth): void {
  const { seed, days, entries, lines, journal, looks, tickets, kills, cuts, fate, rss, realS } = month;
  const runs = runsOf(month);
  const outcomes: Record<string, number> = {};
  for (const { outcome, code } of runs) {
    const key = code ?? outcome ?? 'none';
    outcomes[key] = (outcomes[key] ?? 0) + 1;
  }
  const figures = { entries: lines.length, incidents: incidentsIn(entries), runs: runs.length, outcomes, looks };
  const more = {
    changes: journal.length,
    tickets: tickets.length,
    kills: kills.length,
    cuts,
    fate,
    shares: shares(month),
    minutesToHeal: minutesToHeal(month),
    rss,
    realS,
  };
  process.stdout.write(`healing month, seed ${seed}, ${days} days: ${JSON.stringify({ ...figures, ...more })}\n`);
}

const incidentsIn = (entries: HealingMonth['entries']): number =>
  new Set(entries.flatMap((one) => (one.kind === 'incident' ? [one.incident_id] : []))).size;
