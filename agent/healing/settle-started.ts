// What was started by a run and went on by itself has come to its end: so has the verification of its incident, and a learnt rule that
// began the run is held to it.
import type { EvidenceLog } from '../evidence/log.ts';
import type { Store } from '../store/open-store.ts';
import type { ActionOutcome } from '../wire/schemas/primitives.ts';
import { incidentOf, recordStep } from './incident-store.ts';
import { stepLearnt } from './learning/learnt-rules.ts';
import { afterRun } from './learning/trial.ts';

export interface StartedEnd {
  /** Whose run it was; null for a run of people's. */
  readonly incidentId: string | null;
  readonly outcome: ActionOutcome;
  /** Entry that says so. */
  readonly seq: number;
}

/**
 * Called once for each such run, within the unit of work that records its end.
 *
 * @param at signed time; null where there is none
 */
export function settleStarted(
  deps: {
    readonly store: Pick<Store, 'unit' | 'incidents' | 'settings'>;
    readonly evidence: Pick<EvidenceLog, 'append'>;
  },
  { incidentId, outcome, seq }: StartedEnd,
  at: number | null,
): void {
  const { store } = deps;
  const row = incidentId === null ? null : store.incidents.get(incidentId);
  if (row === null) return;
  const incident = incidentOf(row);
  const isHealed = outcome === 'success';
  // Also where a look has closed the incident before: what came of the run is known only now.
  if (incident.ruleSha256 !== null) stepLearnt(deps, incident.ruleSha256, (rule) => afterRun(rule, isHealed));
  if (incident.state !== 'verifying') return;
  const event = {
    event: 'result',
    outcome: isHealed ? 'healed' : 'failed',
    at: at ?? incident.changedAt,
    seq,
  } as const;
  recordStep(store, incident.id, event);
}
