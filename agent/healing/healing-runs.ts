// The journal of runbooks as the guards read it. Pure.
import { healingKeys } from '../guards/healing-keys.ts';
import type { HealingRun } from '../guards/healing-facts.ts';
import { isDomainController } from '../guards/judge-healing.ts';
import { headOf } from '../execution/record-run.ts';
import type { RunRow } from '../store/open-store.ts';
import type { ActionOutcome } from '../wire/schemas/primitives.ts';
import type { Incident } from './incident.ts';

/** Older runs are counted by no limit: attempts begin anew with each closed incident, cool-downs last a week at most. */
export const RUNS_COUNT_FOR_S = 31 * 86_400;

/** A run that was cut off is given up a day after it began. Where somebody turns the wall clock ahead, no limit waits for years. */
const LONGEST_S = 2 * 86_400;

/** `incidentOf`: the incident that a run was for; null for a run that people ordered. */
export function healingRuns(
  rows: readonly RunRow[],
  incidentOf: (incidentId: string) => Pick<Incident, 'checkId' | 'condition'> | null,
): HealingRun[] {
  return rows.map((row): HealingRun => {
    const { target, link } = headOf(row);
    const incident = link.incident_id === undefined ? null : incidentOf(link.incident_id);
    const { checkId = '', condition = '' } = incident ?? {};
    const { targetId, runbookId, at, state, outcome, endedAt } = row;
    const keys = healingKeys({ targetId, checkId, condition, runbookId });
    const isOver = state === 'ended';
    return {
      ...{ key: keys.run, incidentKey: keys.incident, targetKey: keys.target, runbookId },
      domainController: isDomainController({ declared: roleWord(target.role), detected: null }),
      startedAt: at,
      // The wall clock ended it, and signed time began it: an end never lies before its begin, nor later than runs end.
      endedAt: isOver ? Math.min(Math.max(endedAt ?? at, at), at + LONGEST_S) : null,
      outcome: isOver ? (outcome as ActionOutcome | null) : null,
    };
  });
}

/** A target's role as rules and guards write it; null where nobody knows it. */
export function roleWord(role: string): string | null {
  const word = role.replaceAll('-', '_');
  return word === 'unknown' || word === '' ? null : word;
}
