// Runs the steps: each as soon as what it rests on is known, each with its own deadline, all within one limit. A step whose
// basis is broken is not run and says which one it needs; a step that fails or hangs costs nothing but itself.
import type { Clock } from '../../system/ports.ts';
import { notLookedAt, type StepId, type Verdict } from './verdict.ts';

export interface Step {
  readonly id: StepId;
  /** Steps that must have come to a usable result. */
  readonly needs: readonly StepId[];
  /** Steps that only have to be over. */
  readonly after?: readonly StepId[];
  readonly deadlineMs: number;
  /** Reads and judges. `signal` aborts at the deadline. */
  readonly run: (signal: AbortSignal) => Promise<Verdict>;
}

export interface StepResult {
  readonly id: StepId;
  readonly verdict: Verdict;
  readonly ms: number;
}

/** All steps together; the rest of the thirty seconds is for starting and printing. */
export const WHOLE_RUN_MS = 25_000;

/** True where steps that rest on this one can be run. */
const isUsable = (verdict: Verdict): boolean =>
  verdict.state === 'ok' || (verdict.state === 'problem' && !verdict.breaks) || isNotApplicable(verdict);

/** Left out for a reason of its own, not for want of another step: no obstacle to others. */
const isNotApplicable = (verdict: Verdict): boolean => verdict.state === 'not_looked_at' && verdict.needs.length === 0;

/** One result per step, in the order given. Never rejects. The table must not be circular; names outside it are no steps. */
export async function runSteps(
  steps: readonly Step[],
  clock: Pick<Clock, 'monoMs' | 'sleep'>,
  onDone: (result: StepResult) => void = () => undefined,
): Promise<StepResult[]> {
  const whole = new AbortController();
  const timer = new AbortController();
  clock.sleep(WHOLE_RUN_MS, timer.signal).then(
    () => whole.abort(),
    () => undefined,
  );
  const running = new Map<StepId, Promise<StepResult>>();
  const start = (step: Step): Promise<StepResult> => {
    const known = running.get(step.id);
    if (known !== undefined) return known;
    const promise = (async () => {
      const basis = await Promise.all(waitedFor(step, steps).map(start));
      const startedMs = clock.monoMs();
      const broken = basis
        .filter(({ id, verdict }) => step.needs.includes(id) && !isUsable(verdict))
        .map((one) => one.id);
      const verdict =
        broken.length > 0
          ? notLookedAt(`it needs ${broken.join(', ')}`, broken)
          : await withDeadline(step, clock, whole.signal);
      const result = { id: step.id, verdict, ms: Math.round(clock.monoMs() - startedMs) };
      onDone(result);
      return result;
    })();
    running.set(step.id, promise);
    return promise;
  };
  const results = await Promise.all(steps.map(start));
  timer.abort();
  return results;
}

const waitedFor = (step: Step, steps: readonly Step[]): Step[] => {
  const names = new Set([...step.needs, ...(step.after ?? [])]);
  return steps.filter((other) => names.has(other.id) && other.id !== step.id);
};

/** A step that does not heed its signal is left behind: its answer is no longer wanted. */
async function withDeadline(step: Step, clock: Pick<Clock, 'sleep'>, whole: AbortSignal): Promise<Verdict> {
  const late = notLookedAt(`it did not end within ${step.deadlineMs / 1_000} s`, [step.id]);
  const over = notLookedAt(`the ${WHOLE_RUN_MS / 1_000} s of the whole run were over`, [step.id]);
  if (whole.aborted) return over;
  const own = new AbortController();
  const timer = new AbortController();
  const ends: Promise<Verdict>[] = [
    clock.sleep(step.deadlineMs, timer.signal).then(
      () => late,
      () => late,
    ),
    new Promise((resolve) => whole.addEventListener('abort', () => resolve(over), { once: true })),
    // The extra function call turns a synchronous throw into a rejection.
    (async () => step.run(own.signal))().catch((error: unknown) => {
      const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return notLookedAt(`looking failed (${why}); please report it`, [step.id]);
    }),
  ];
  try {
    return await Promise.race(ends);
  } finally {
    own.abort();
    timer.abort();
  }
}
