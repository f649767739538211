import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isNewBlocking, rememberBlocking } from '../../../agent/daemon/blocking-memory.ts';
import { afterProbe, misbehaved, PROBE_LIMITS, setAside, type ProbeCare } from '../../../agent/daemon/probe-care.ts';
import {
  excessSentence,
  FIRST_WATCH,
  mayRestart,
  RESTART_EVERY_S,
  usedSince,
  watch,
  WATCH_LIMITS,
  type Excess,
  type Sample,
} from '../../../agent/daemon/self-watch.ts';
import {
  noteUnknown,
  UNKNOWN_ALERT_S,
  unknownTooLong,
  type UnknownSince,
} from '../../../agent/daemon/unknown-since.ts';
import type { Fact } from '../../../agent/facts/probe.ts';
import { UNREADABLE_REASONS } from '../../../agent/facts/probe.ts';
import type { LastBlocking } from '../../../agent/system/status-file.ts';
import { finding } from '../../support/evidence-fixtures.ts';

const MIB = 1_048_576;
const LIMIT_MIB = 400;
const {
  lookMs: LOOK_MS,
  looksOverMemory: LOOKS_OVER_MEMORY,
  cpuWindowMs: CPU_WINDOW_MS,
  maxCpuShare: MAX_CPU_SHARE,
} = WATCH_LIMITS;

describe('a probe that misbehaves', () => {
  const fact = (reason: (typeof UNREADABLE_REASONS)[number] | null): Fact<unknown> =>
    reason === null
      ? { status: 'read', probe: 'x', readAt: 0, value: 1 }
      : { status: 'unreadable', probe: 'x', reason, detail: 'it hung', readAt: 0 };
  const facts = fc.constantFrom(...[null, ...UNREADABLE_REASONS].map(fact));

  it('is set aside only after two misbehaviours in a row, never for ever, and a good run forgives all', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ fact: facts, pauseMs: fc.nat(10 * 3_600_000) }), { maxLength: 40 }), (runs) => {
        let care: ProbeCare | undefined;
        let nowMs = 1;
        let inARow = 0;
        for (const run of runs) {
          nowMs += run.pauseMs;
          const aside = setAside(care, nowMs, 7);
          if (aside !== null) {
            expect(inARow).toBeGreaterThanOrEqual(PROBE_LIMITS.threshold);
            // Never a pass: the fact stays unreadable, for the reason that it had.
            expect([aside.status, aside.readAt, misbehaved(aside)]).toEqual(['unreadable', 7, true]);
            expect(setAside(care, nowMs + PROBE_LIMITS.longestPauseMs, 7)).toBeNull();
            continue;
          }
          care = afterProbe(care, run.fact, nowMs);
          inARow = misbehaved(run.fact) ? inARow + 1 : 0;
          if (inARow === 0) expect(setAside(care, nowMs, 7)).toBeNull();
          else expect(setAside(care, nowMs, 7) !== null).toBe(inARow >= PROBE_LIMITS.threshold);
        }
      }),
    );
  });

  it.each(UNREADABLE_REASONS.filter((reason) => reason !== 'timeout' && reason !== 'too_much_output'))(
    'is not one whose fact is unreadable because of %s: that costs nothing',
    (reason) => {
      expect(misbehaved(fact(reason))).toBe(false);
    },
  );

  it('waits longer each time, up to six hours', () => {
    let care: ProbeCare | undefined;
    const pauses: number[] = [];
    for (let i = 0, nowMs = 1; i < 12; i++) {
      care = afterProbe(care, fact('timeout'), nowMs);
      pauses.push(Math.max(0, care.breaker.openUntilMs - nowMs));
      nowMs = Math.max(nowMs + 1, care.breaker.openUntilMs);
    }
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
    expect([pauses[0], pauses[1], pauses.at(-1)]).toEqual([0, PROBE_LIMITS.firstPauseMs, PROBE_LIMITS.longestPauseMs]);
  });
});

describe('checks that are unknown', () => {
  const results = ['pass', 'fail', 'unknown', 'not_applicable', 'waived'] as const;
  const of = (check: string, result: (typeof results)[number]) => ({
    ...finding(),
    check: { id: check, version: 1 },
    result,
  });

  it('are too long unknown exactly when every finding of a day and more was unknown', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            check: fc.constantFrom('disk', 'clock'),
            result: fc.constantFrom(...results),
            afterS: fc.nat(50_000),
          }),
          { maxLength: 60 },
        ),
        (steps) => {
          let since: UnknownSince = {};
          let now = 1_000_000;
          const begun = new Map<string, number>();
          for (const { check, result, afterS } of steps) {
            now += afterS;
            since = noteUnknown(since, [of(check, result)], now);
            if (result !== 'unknown') begun.delete(check);
            else if (!begun.has(check)) begun.set(check, now);
            const expected = [...begun]
              .filter(([, at]) => now - at >= UNKNOWN_ALERT_S)
              .map(([id]) => `appliance/${id}`);
            expect(
              unknownTooLong(since, now)
                .map((one) => one.key)
                .toSorted(),
            ).toEqual(expected.toSorted());
          }
        },
      ),
    );
  });

  it('count from now on where the clock stepped back before their begin', () => {
    const since = noteUnknown({ 'appliance/disk': 5_000 }, [of('disk', 'unknown')], 1_000);
    expect(since).toEqual({ 'appliance/disk': 1_000 });
  });
});

describe('the last blocking reason', () => {
  const blocked = (code: string) => ({ code, sentence: `Because of ${code}.`, remedy: 'r' });

  it('keeps the begin of a reason that lasts, the end of one that is over, and is never lost without another', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', null), { maxLength: 40 }), (reasons) => {
        let last: LastBlocking | null = null;
        let began = 0;
        let before: string | null = null;
        let ever = false;
        for (const [now, code] of reasons.entries()) {
          last = rememberBlocking(last, code === null ? null : blocked(code), now);
          if (code !== null && code !== before) began = now;
          ever ||= code !== null;
          if (code !== null) expect(last).toMatchObject({ code, since: began, until: null });
          else if (ever) expect(last?.until).not.toBeNull();
          else expect(last).toBeNull();
          before = code;
        }
      }),
    );
  });

  it('is written again only for another reason, its begin or its end', () => {
    const first = rememberBlocking(null, blocked('a'), 1);
    expect(isNewBlocking(null, first)).toBe(true);
    expect(isNewBlocking(first, rememberBlocking(first, { ...blocked('a'), sentence: 'Other words.' }, 2))).toBe(false);
    expect(isNewBlocking(first, rememberBlocking(first, null, 2))).toBe(true);
    expect(isNewBlocking(first, rememberBlocking(first, blocked('b'), 2))).toBe(true);
  });
});

describe('the daemon watching itself', () => {
  const sample = (i: number, o: Partial<Sample> = {}): Sample => ({
    atMs: i * LOOK_MS,
    rssBytes: 100 * MIB,
    cpuMs: 0,
    used: {},
    ...o,
  });
  function judge(samples: readonly Sample[]): (Excess | null)[] {
    let state = FIRST_WATCH;
    return samples.map((one) => {
      const { state: next, excess } = watch(state, one, LIMIT_MIB);
      state = next;
      return excess;
    });
  }

  it('finds memory over its limit exactly when so many looks in a row were over it', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (over) => {
        const found = judge(over.map((is, i) => sample(i, { rssBytes: (is ? LIMIT_MIB + 1 : LIMIT_MIB) * MIB })));
        found.forEach((excess, i) => {
          const last = over.slice(Math.max(0, i + 1 - LOOKS_OVER_MEMORY), i + 1);
          expect(excess !== null).toBe(last.length === LOOKS_OVER_MEMORY && last.every(Boolean));
        });
      }),
    );
  });

  it('finds CPU over its limit only over a whole window, and whatever the pauses between looks are', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            pauseMs: fc.integer({ min: 1, max: 120_000 }),
            share: fc.double({ min: 0, max: 1, noNaN: true }),
          }),
          {
            maxLength: 200,
          },
        ),
        (steps) => {
          let at = 0;
          let cpu = 0;
          const all = steps.map(({ pauseMs, share }) => {
            at += pauseMs;
            cpu += pauseMs * share;
            return sample(0, { atMs: at, cpuMs: cpu });
          });
          judge(all).forEach((excess, i) => {
            if (excess === null) return;
            const now = all[i]!;
            const begin = all.findLast((one) => now.atMs - one.atMs >= CPU_WINDOW_MS);
            expect(begin).toBeDefined();
            expect((now.cpuMs - begin!.cpuMs) / (now.atMs - begin!.atMs)).toBeGreaterThanOrEqual(MAX_CPU_SHARE);
          });
        },
      ),
    );
  });

  it('finds a core in full use for a quarter of an hour, and not an idle process', () => {
    const looks = CPU_WINDOW_MS / LOOK_MS + 1;
    const busy = judge(
      Array.from({ length: looks }, (_, i) =>
        sample(i, { cpuMs: i * LOOK_MS, used: { upload: { cpuMs: LOOK_MS, bytes: 0 } } }),
      ),
    );
    expect(busy.slice(0, -1).every((one) => one === null)).toBe(true);
    expect(busy.at(-1)).toMatchObject({ code: 'self_cpu_limit', value: 100, stage: 'upload' });
    const idle = judge(Array.from({ length: 3 * looks }, (_, i) => sample(i, { cpuMs: i * 10 })));
    expect(idle.every((one) => one === null)).toBe(true);
  });

  it('keeps no more samples than the window needs', () => {
    let state = FIRST_WATCH;
    for (let i = 0; i < 10_000; i++) ({ state } = watch(state, sample(i), LIMIT_MIB));
    expect(state.samples.length).toBeLessThanOrEqual(CPU_WINDOW_MS / LOOK_MS + 2);
  });

  it('names the stage during whose runs the memory came, not one that ran often, and says so in one sentence', () => {
    const over = { rssBytes: 512 * MIB };
    const grew = (bytes: number) => ({ cpuMs: 1, bytes });
    const [excess] = judge([
      sample(0, { used: { upload: grew(300 * MIB), control: grew(4_096) } }),
      sample(1, {
        ...over,
        used: { upload: grew(90 * MIB), control: grew(4_096), checkin: { cpuMs: 9_000, bytes: 0 } },
      }),
      sample(2, { ...over, used: { checks: grew(MIB), control: grew(-8_192) } }),
      sample(3, { ...over, used: { control: grew(4_096) } }),
      sample(4, { ...over, used: { control: grew(4_096) } }),
    ]).filter((one) => one !== null);
    expect(excess).toMatchObject({ code: 'self_memory_limit', stage: 'upload', value: 512 });
    expect(excessSentence(excess!)).toBe(
      'The agent used 512 MiB of memory (limit 400 MiB) while the stage upload ran.',
    );
  });

  it('counts what was used during each stage since the last look, and not during itself', () => {
    const before = new Map([
      ['upload', { cpuMs: 1_000, bytes: 5 }],
      ['self_watch', { cpuMs: 5, bytes: 5 }],
    ]);
    const now = new Map([
      ['upload', { cpuMs: 3_000, bytes: 2 }],
      ['self_watch', { cpuMs: 9, bytes: 9 }],
      ['checkin', { cpuMs: 70, bytes: 1 }],
    ]);
    expect(usedSince(before, now)).toEqual({
      upload: { cpuMs: 2_000, bytes: -3 },
      checkin: { cpuMs: 70, bytes: 1 },
    });
  });

  it('restarts at most once an hour, and a clock that stepped back cannot forbid it for ever', () => {
    expect(mayRestart(null, 10)).toBe(true);
    expect(mayRestart(10_000, 10_000 + RESTART_EVERY_S - 1)).toBe(false);
    expect(mayRestart(10_000, 10_000 + RESTART_EVERY_S)).toBe(true);
    expect(mayRestart(1_000_000, 10_000)).toBe(true);
  });
});
