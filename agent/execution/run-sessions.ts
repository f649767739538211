// The sessions of one run on one target. What leads up to a change shares one, and so does what undoes it. Verify and confirm each
// come over a connection of their own that was made after the change: who has cut himself off cannot make one.
import type { Target } from '../targets/target.ts';
import type { Phase, Runner, TargetSession } from './runner.ts';

const ALONE: ReadonlySet<Phase> = new Set(['verify', 'confirm']);

export class RunSessions {
  readonly #runner: Runner;
  readonly #target: Target;
  #shared: TargetSession | null = null;

  constructor(runner: Runner, target: Target) {
    this.#runner = runner;
    this.#target = target;
  }

  /** What that phase runs over. There is never more than one session at a time. */
  of(phase: Phase): Pick<TargetSession, 'run'> {
    if (!ALONE.has(phase)) {
      return { run: (script, signal) => (this.#shared ??= this.#runner.open(this.#target)).run(script, signal) };
    }
    return {
      run: async (script, signal) => {
        await this.close();
        const own = this.#runner.open(this.#target);
        try {
          return await own.run(script, signal);
        } finally {
          await own.close();
        }
      },
    };
  }

  /** Ends what is open; never rejects. */
  async close(): Promise<void> {
    const shared = this.#shared;
    this.#shared = null;
    await shared?.close();
  }
}
