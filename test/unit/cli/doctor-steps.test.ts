import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exitOf } from '../../../agent/cli/doctor.ts';
import { runSteps, WHOLE_RUN_MS, type Step, type StepResult } from '../../../agent/cli/doctor/run-steps.ts';
import { notLookedAt, ok, problem, STEP_IDS, type StepId, type Verdict } from '../../../agent/cli/doctor/verdict.ts';
import { CODES, type ErrorCode } from '../../../agent/errors/codes.ts';
import { fakeClock } from '../../support/fakes/fake-clock.ts';

const broken = (code: ErrorCode = 'dns_failed', breaks = true): Verdict =>
  problem({ code, sentence: 's', meaning: 'm', remedy: 'r' }, { breaks });

type Does = 'ok' | 'breaks' | 'problem' | 'not_applicable' | 'throws' | 'hangs';

const OUTCOMES: Readonly<Record<Does, () => Promise<Verdict>>> = {
  ok: () => Promise.resolve(ok('fine')),
  breaks: () => Promise.resolve(broken()),
  problem: () => Promise.resolve(broken('ipv6_broken', false)),
  not_applicable: () => Promise.resolve(notLookedAt('it does not apply')),
  throws: () => Promise.reject(new TypeError('defect')),
  hangs: () => new Promise(() => undefined),
};
const USABLE: readonly Does[] = ['ok', 'problem', 'not_applicable'];

/** A table whose steps rest on earlier ones only. */
const tables = fc
  .array(
    fc.record({
      does: fc.constantFrom(...(Object.keys(OUTCOMES) as Does[])),
      needs: fc.array(fc.nat(STEP_IDS.length - 1), { maxLength: 3 }),
      deadlineMs: fc.integer({ min: 1, max: 40_000 }),
    }),
    { minLength: 1, maxLength: STEP_IDS.length },
  )
  .map((rows) =>
    rows.map((row, index) => ({
      ...row,
      id: STEP_IDS[index]!,
      needs: [...new Set(row.needs.filter((need) => need < index))].map((need) => STEP_IDS[need]!),
    })),
  );

/** Runs a table on a clock that is moved until all is over; how long that took. */
async function runTable(steps: readonly Step[]): Promise<{ results: StepResult[]; tookMs: number }> {
  const clock = fakeClock();
  const started = clock.monoMs();
  let results: StepResult[] | null = null;
  void runSteps(steps, clock).then((all) => (results = all));
  for (let i = 0; i < 100 && results === null; i++) await clock.advance(1_000);
  return { results: results ?? [], tookMs: clock.monoMs() - started };
}

describe('the steps of the doctor', () => {
  it('are each reported once and in order, never later than the limit, and skipped exactly where a basis is broken', async () => {
    await fc.assert(
      fc.asyncProperty(tables, async (table) => {
        const ran = new Set<StepId>();
        const { results, tookMs } = await runTable(
          table.map(({ id, needs, does, deadlineMs }) => ({
            id,
            needs,
            deadlineMs,
            run: () => {
              ran.add(id);
              return OUTCOMES[does]();
            },
          })),
        );
        expect(results.map((one) => one.id)).toEqual(table.map((one) => one.id));
        expect(tookMs).toBeLessThanOrEqual(WHOLE_RUN_MS + 1_000);
        const usable = new Map<StepId, boolean>();
        for (const { id, needs, does } of table) {
          const missing = needs.filter((need) => usable.get(need) !== true);
          usable.set(id, missing.length === 0 && USABLE.includes(does));
          const verdict = results.find((one) => one.id === id)!.verdict;
          if (missing.length > 0) {
            expect(ran.has(id)).toBe(false);
            expect(verdict).toMatchObject({ state: 'not_looked_at', needs: expect.arrayContaining([missing[0]]) });
          } else if (does === 'throws' || does === 'hangs') expect(verdict.state).toBe('not_looked_at');
        }
      }),
      { numRuns: 150 },
    );
  });

  it('do not run all over again or wait for ever where one ignores its signal', async () => {
    let aborted = false;
    const { results, tookMs } = await runTable([
      {
        id: 'dns',
        needs: [],
        deadlineMs: 3_000,
        run: (signal) => {
          signal.addEventListener('abort', () => (aborted = true));
          return new Promise(() => undefined);
        },
      },
      { id: 'tcp', needs: ['dns'], deadlineMs: 1_000, run: () => Promise.resolve(ok('x')) },
    ]);
    expect(aborted).toBe(true);
    expect(tookMs).toBeLessThanOrEqual(4_000);
    expect(results.map(({ verdict }) => verdict.state)).toEqual(['not_looked_at', 'not_looked_at']);
  });

  it('end with the exit code of the most basic problem, and with 0 without one', () => {
    const result = (id: StepId, verdict: Verdict): StepResult => ({ id, verdict, ms: 1 });
    expect(exitOf([result('dns', ok('x')), result('tcp', notLookedAt('y'))])).toBe(0);
    expect(exitOf([result('permissions', broken('key_permissions')), result('dns', broken('dns_failed'))])).toBe(
      CODES.key_permissions.exit,
    );
    expect(exitOf([result('dns', ok('x')), result('tls', broken('tls_untrusted'))])).toBe(CODES.tls_untrusted.exit);
  });
});
