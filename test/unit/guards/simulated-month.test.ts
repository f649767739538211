import { describe, expect, it } from 'vitest';
import { HEALING_GUARDS } from '../../../agent/guards/judge-healing.ts';
import { violations } from '../../lab/simulated-site/invariants.ts';
import { runMonth, type Month } from '../../lab/simulated-site/run-month.ts';

/** SIMULATED_SEEDS=500 for a long run. */
const SEEDS = Number(process.env['SIMULATED_SEEDS'] ?? 20);
/** A month takes about half a second; a busy machine is slow. */
const MONTH_MS = 10_000;
/** Seeds that are tried until the invariant of a guard that is off breaks. */
const TRIES = 8;
/** Numbers that contradict each other are refused when a rule is read; the month has none. */
const GUARDS = Object.keys(HEALING_GUARDS).filter((name) => name !== 'limits');

const count = (month: Month, what: string): number => month.log.filter((entry) => entry.what === what).length;

describe('a simulated month of healing', () => {
  it(
    'breaks no invariant, whatever the seed: each is computed from the log and the machines’ own notes',
    () => {
      const total = { changes: 0, healed: 0, people: 0, interrupted: 0, recurred: 0 };
      for (let seed = 1; seed <= SEEDS; seed++) {
        const month = runMonth(seed);
        for (const [guard, broken] of Object.entries(violations(month))) {
          expect(broken, `seed ${seed}: ${guard}`).toEqual([]);
        }
        total.changes += month.hosts.flatMap(({ journal }) => journal).length;
        for (const what of ['healed', 'people', 'interrupted', 'recurred'] as const) total[what] += count(month, what);
        expect(new Set(month.incidents.map(({ id }) => id)).size).toBe(month.incidents.length);
      }
      process.stdout.write(`\n${SEEDS} months: ${JSON.stringify(total)}\n`);
      expect(Math.min(...Object.values(total))).toBeGreaterThan(SEEDS);
    },
    SEEDS * MONTH_MS,
  );

  it('leaves no incident without an end: healed, closed, with people, or held back with a reason', () => {
    const { incidents, end } = runMonth(1);
    const stuck = incidents.filter(
      ({ state, changedAt, held }) =>
        end - changedAt > 86_400 && (['acting', 'verifying'].includes(state) || (state === 'seen' && held === null)),
    );
    expect(stuck).toEqual([]);
  });

  it('is the same month for the same seed', () => {
    expect(runMonth(7).log).toEqual(runMonth(7).log);
  });

  it.each(GUARDS)('without the guard %s, its invariant breaks', (name) => {
    const others = Object.fromEntries(Object.entries(HEALING_GUARDS).filter(([guard]) => guard !== name));
    let broken = 0;
    for (let seed = 1; seed <= TRIES && broken === 0; seed++) broken = violations(runMonth(seed, others))[name]!.length;
    expect(broken).toBeGreaterThan(0);
  });

  it.each(['dry_run', 'verify'] as const)(
    'without what stands beside the guards (%s), its invariant breaks',
    (name) => {
      let broken = 0;
      for (let seed = 1; seed <= TRIES && broken === 0; seed++) {
        broken = violations(runMonth(seed, HEALING_GUARDS, name))[name]!.length;
      }
      expect(broken).toBeGreaterThan(0);
    },
  );
});
