import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { HealingFacts } from '../../../agent/guards/healing-facts.ts';
import { healingKeys } from '../../../agent/guards/healing-keys.ts';
import { DEFAULT_LIMITS, limitProblems } from '../../../agent/guards/healing-limits.ts';
import { HEALING_GUARDS, judgeHealing } from '../../../agent/guards/judge-healing.ts';
import { afterNeed, SITE_BREAKER_CLOSED } from '../../../agent/guards/site-breaker.ts';
import { judgeVerify, type VerifyLook } from '../../lab/simulated-site/verify-looks.ts';
import { disruptive, facts, HOUR, MINUTE, NOON, policy, request, run } from '../../support/healing-fixtures.ts';
import { ATTACKS_ON_WHAT_IS_ALLOWED } from './healing-attacks-allowed.ts';
import { ATTACKS_ON_THE_MOMENT } from './healing-attacks-moment.ts';

const ATTACKS = [...ATTACKS_ON_WHAT_IS_ALLOWED, ...ATTACKS_ON_THE_MOMENT];

const table: string[][] = [['guard', 'attack', 'what came of it']];
afterAll(() => {
  const width = (column: number): number => Math.max(...table.map((row) => row[column]?.length ?? 0));
  const line = (row: string[]): string =>
    row
      .map((cell, i) => cell.padEnd(width(i)))
      .join('  ')
      .trimEnd();
  process.stdout.write(`\n${table.map(line).join('\n')}\n${table.length - 1} attempts\n`);
});

/** All guards but one. */
const without = (guard: string) =>
  Object.fromEntries(Object.entries(HEALING_GUARDS).filter(([name]) => name !== guard));

describe('the guards of healing', () => {
  it('let pass what none of them has anything against', () => {
    expect(judgeHealing(request, facts)).toEqual({ verdict: 'act' });
    expect(judgeHealing(disruptive, facts)).toEqual({ verdict: 'act' });
  });

  it.each(ATTACKS.map((attack) => [attack.guard, attack.attack, attack] as const))(
    '%s stops what it must and nothing else: %s',
    (_, name, { guard, comes, until, ...attack }) => {
      const came = judgeHealing(attack.request, attack.facts);
      table.push([guard, name, came.verdict]);
      if (comes === 'act' || comes === 'dry_run') return expect(came).toEqual({ verdict: comes });
      expect(came).toMatchObject({ verdict: comes, guard });
      if (until !== undefined) expect(came).toMatchObject({ until });
    },
  );

  it('are at least sixty attempts, and every guard is tried, and none stands in the way for ever', () => {
    expect(ATTACKS.length).toBeGreaterThanOrEqual(60);
    expect(new Set(ATTACKS.map(({ guard }) => guard))).toEqual(
      new Set(['time', 'mode', ...Object.keys(HEALING_GUARDS)]),
    );
    expect(new Set(ATTACKS.map(({ guard, attack }) => `${guard} ${attack}`)).size).toBe(ATTACKS.length);
  });

  it('stand alone: what one of them stops would be done without it', () => {
    let shown = 0;
    for (const { guard, attack, ...a } of ATTACKS.filter(({ comes }) => comes !== 'act' && comes !== 'dry_run')) {
      if (!(guard in HEALING_GUARDS)) continue;
      // A number that is none stops nothing else, and a list without the runbook makes its class unknown.
      const came = judgeHealing(a.request, a.facts, without(guard));
      if (came.verdict === 'act') shown++;
      else expect([guard, attack, ['wait', 'people', 'dry_run'].includes(came.verdict)]).toEqual([guard, attack, true]);
    }
    expect(shown).toBeGreaterThan(50);
  });

  it('hold for a dry run too, but for those that only keep from changing something', () => {
    const dry: HealingFacts = { ...facts, localMode: 'dry_run' };
    const paused = { ...dry, pausedUntil: { byOrder: NOON + HOUR, byHand: null } };
    const night = { ...dry, clockSound: false, policy: { ...policy, windows: [] } };
    for (const harmless of [dry, paused, night])
      expect(judgeHealing(disruptive, harmless)).toEqual({ verdict: 'dry_run' });
    expect(judgeHealing(request, { ...dry, content: null })).toMatchObject({ verdict: 'refuse', guard: 'validation' });
    expect(judgeHealing(request, { ...dry, evidenceReady: false })).toMatchObject({ guard: 'evidence' });
  });
});

describe('keys', () => {
  it('are the same for reading and writing, whatever the letters, and differ where target, check, condition or runbook do', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/);
    const subject = fc.record({ targetId: word, checkId: word, condition: word, runbookId: word });
    fc.assert(
      fc.property(subject, subject, (a, b) => {
        const shouted = { ...a, targetId: ` ${a.targetId.toUpperCase()}`, runbookId: `${a.runbookId.toUpperCase()} ` };
        expect(healingKeys(shouted)).toEqual(healingKeys(a));
        const same = a.targetId === b.targetId && a.checkId === b.checkId && a.condition === b.condition;
        expect(healingKeys(a).incident === healingKeys(b).incident).toBe(same);
        expect(healingKeys(a).run === healingKeys(b).run).toBe(
          a.targetId === b.targetId && a.runbookId === b.runbookId,
        );
      }),
    );
  });

  it('cannot be forged by parts that look like two', () => {
    const a = healingKeys({ targetId: 'a","b', checkId: 'c', condition: 'd', runbookId: 'r' });
    const b = healingKeys({ targetId: 'a', checkId: 'b","c', condition: 'd', runbookId: 'r' });
    expect(a.incident).not.toBe(b.incident);
  });
});

describe('limits against each other', () => {
  it('the default ones can all be met', () => {
    expect(limitProblems(DEFAULT_LIMITS)).toEqual([]);
  });

  it('a flap limit is refused exactly where drift that comes back as fast as it can never meets it', () => {
    const limits = fc.record({
      cooldownS: fc.integer({ min: 300, max: 20_000 }),
      count: fc.integer({ min: 2, max: 8 }),
      withinS: fc.integer({ min: 600, max: 100_000 }),
      runsPerDay: fc.integer({ min: 1, max: 12 }),
    });
    fc.assert(
      fc.property(limits, ({ cooldownS, count, withinS, runsPerDay }) => {
        const own = { ...DEFAULT_LIMITS, cooldownS, runsPerDay, maxAttempts: 1, flap: [{ count, withinS }] };
        const isRefused = limitProblems(own).length > 0;
        expect(isRefused).toBe(!stopsByFlap(own, cooldownS));
      }),
      { numRuns: 200 },
    );
  });
});

/** Heals drift that comes back at once for as long as the guards let it, and says whether flapping ended it. */
function stopsByFlap(limits: typeof DEFAULT_LIMITS, step: number): boolean {
  let now = NOON;
  const recurredAt: number[] = [];
  let runs: HealingFacts['runs'] = [];
  for (let i = 0; i < 60; i++) {
    const state = { ...facts, now, clockSound: true, recurredAt, runs, seenAt: [now - step, now] };
    const guards = { ...HEALING_GUARDS };
    delete (guards as Record<string, unknown>)['limits'];
    delete (guards as Record<string, unknown>)['validation'];
    delete (guards as Record<string, unknown>)['authority'];
    const came = judgeHealing({ ...request, limits }, state, guards);
    if (came.verdict === 'people') return true;
    if (came.verdict === 'wait') {
      now = Math.max(now + 1, came.until ?? now + step);
      continue;
    }
    runs = [...runs, run(NOON - now)];
    recurredAt.push(now);
  }
  return false;
}

describe('the breaker of a site', () => {
  it('stays open whatever comes after, until people close it', () => {
    const need = fc.record({
      id: fc.constantFrom('pc-1', 'pc-2', 'pc-3'),
      after: fc.integer({ min: -7_200, max: 7_200 }),
    });
    fc.assert(
      fc.property(fc.array(need, { maxLength: 20 }), (needs) => {
        let state = SITE_BREAKER_CLOSED;
        let at = NOON;
        for (const { id, after } of needs) {
          at += after;
          const before = state;
          state = afterNeed(state, id, at);
          if (before.openedAt !== null) expect(state.openedAt).toBe(before.openedAt);
          const others = before.needs.some((other) => other.targetId !== id && at - other.at < HOUR);
          expect(state.openedAt !== null).toBe(before.openedAt !== null || others);
        }
      }),
    );
  });
});

describe('whether a heal holds', () => {
  const TIMES = { withinS: 120, stableForS: 300 };
  const look = (atS: number, result: VerifyLook['result'], readAtS = atS): VerifyLook => ({ atS, result, readAtS });

  it.each([
    ['no look yet', [], 0, { verdict: 'look', atS: 30 }],
    ['a fail while there is time', [look(10, 'fail')], 10, { verdict: 'look', atS: 40 }],
    ['a pass, and the second look is to come', [look(60, 'pass')], 60, { verdict: 'look', atS: 360 }],
    ['a pass that still passes', [look(60, 'pass'), look(360, 'pass')], 360, { verdict: 'healed' }],
  ] as const)('%s', (_, looks, elapsed, expected) => {
    expect(judgeVerify(TIMES, looks, elapsed)).toEqual(expected);
  });

  it.each([
    ['it never passed', [look(60, 'fail'), look(120, 'fail')], 120],
    ['it passed too late', [look(60, 'fail'), look(121, 'pass')], 121],
    ['it passed and fell back', [look(60, 'pass'), look(200, 'fail'), look(360, 'pass')], 360],
    ['it cannot be read any more', [look(60, 'pass'), look(360, 'unknown')], 360],
    ['the check does not apply any more', [look(60, 'not_applicable')], 120],
    ['somebody waived it', [look(60, 'waived')], 120],
    ['the facts are from before the change', [look(60, 'pass', -1), look(360, 'pass', -1)], 420],
    ['the facts are from a time that is not yet', [look(60, 'pass', 61)], 120],
    ['nobody could look', [], 120],
    ['nobody could look a second time', [look(60, 'pass')], 481],
  ] as const)('is rolled back where %s', (_, looks, elapsed) => {
    expect(judgeVerify(TIMES, looks, elapsed).verdict).toBe('roll_back');
  });

  it('is never said without two passes on facts from after the change, with no other result between', () => {
    const result = fc.constantFrom('pass', 'fail', 'unknown', 'waived', 'not_applicable' as const);
    const looks = fc.array(
      fc.record({ atS: fc.integer({ min: 0, max: 600 }), readAtS: fc.integer({ min: -60, max: 600 }), result }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(looks, fc.integer({ min: 0, max: 1_200 }), (given, elapsed) => {
        if (judgeVerify(TIMES, given, elapsed).verdict !== 'healed') return;
        const fresh = given
          .filter((one) => one.readAtS >= 0 && one.readAtS <= one.atS)
          .toSorted((a, b) => a.atS - b.atS);
        const from = fresh.findIndex((one) => one.result === 'pass');
        expect(fresh[from]?.atS).toBeLessThanOrEqual(TIMES.withinS);
        expect(fresh.slice(from).every((one) => one.result === 'pass')).toBe(true);
        expect((fresh.at(-1)?.atS ?? 0) - (fresh[from]?.atS ?? 0)).toBeGreaterThanOrEqual(TIMES.stableForS);
      }),
    );
  });

  it('a run that a crash cut off has failed, counts as an attempt, and lets nothing be repeated before somebody looked', () => {
    const open = run(HOUR, { outcome: null, endedAt: null });
    expect(judgeHealing(request, { ...facts, runs: [open] })).toMatchObject({ guard: 'interrupted' });
    const closed = { ...open, endedAt: NOON - 4 * MINUTE, outcome: 'failed' as const };
    expect(judgeHealing(request, { ...facts, runs: [closed] })).toMatchObject({ verdict: 'wait', guard: 'attempts' });
  });
});
