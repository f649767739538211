// Which incidents are judged now: those whose date has come, and those that were not judged yet by what is signed and paused now. One
// that could not be judged (its target was away while the policy changed) is asked again at each look, whatever date it had.
import type { Incident } from './incident.ts';

export interface DueIncidents {
  /** Of those that are open, at `now` (T). `by`: what they are judged by, as one text. */
  of(open: readonly Incident[], by: string, now: number): Incident[];
  /** It was judged by this, and waits for its date from now on. */
  judged(id: string, by: string): void;
  /** What was judged may be judged otherwise now: all are due. */
  forget(): void;
}

export function dueIncidents(): DueIncidents {
  const judgedBy = new Map<string, string>();
  return {
    of(open, by, now) {
      const known = new Set(open.map(({ id }) => id));
      for (const id of judgedBy.keys()) if (!known.has(id)) judgedBy.delete(id);
      return open.filter(({ id, nextStepAt }) => (nextStepAt ?? now) <= now || judgedBy.get(id) !== by);
    },
    judged: (id, by) => void judgedBy.set(id, by),
    forget: () => judgedBy.clear(),
  };
}
