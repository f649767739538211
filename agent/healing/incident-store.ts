// Incidents as rows of the store: a step and its line are kept together, so that a restart goes on where the story ends.
import * as v from 'valibot';
import { AgentError } from '../errors/agent-error.ts';
import type { IncidentRow, Store } from '../store/open-store.ts';
import { severity } from '../wire/schemas/primitives.ts';
import {
  INCIDENT_STATES,
  openIncident,
  stepIncident,
  type Incident,
  type IncidentEvent,
  type IncidentKey,
} from './incident.ts';

const time = v.pipe(v.number(), v.safeInteger());
const detail = v.strictObject({
  openedSeq: v.nullable(time),
  seenAt: v.array(time),
  recurredAt: v.array(time),
  passingSince: v.nullable(time),
  attemptsFrom: time,
  deferredSince: v.nullable(time),
  held: v.nullable(v.strictObject({ guard: v.string(), sentence: v.string() })),
  ruleSha256: v.nullable(v.string()),
});
const state = v.picklist(INCIDENT_STATES);

type Incidents = Pick<Store, 'unit' | 'incidents'>;

/** @throws store_corrupt where a row is not what this program writes */
export function incidentOf(row: IncidentRow): Incident {
  try {
    const { incidentId: id, targetId, checkId, condition, openedAt, changedAt, nextStepAt } = row;
    const rest = v.parse(detail, JSON.parse(row.detail));
    const words = { state: v.parse(state, row.state), severity: v.parse(severity, row.severity) };
    return { id, targetId, checkId, condition, openedAt, changedAt, nextStepAt, ...words, ...rest };
  } catch (cause) {
    throw new AgentError('store_corrupt', 'an incident cannot be read', {
      details: { incident: row.incidentId },
      cause,
    });
  }
}

function rowOf(incident: Incident): IncidentRow {
  const {
    id: incidentId,
    targetId,
    checkId,
    condition,
    state: now,
    severity: how,
    openedAt,
    changedAt,
    nextStepAt,
    ...rest
  } = incident;
  return {
    incidentId,
    targetId,
    checkId,
    condition,
    state: now,
    severity: how,
    openedAt,
    changedAt,
    nextStepAt,
    detail: JSON.stringify(rest),
  };
}

/**
 * Takes drift to its incident: the one of this target, check and condition, or a new one with `newId`.
 *
 * @returns the incident as it is kept now
 */
export function recordDrift(
  store: Incidents,
  newId: () => string,
  key: IncidentKey,
  drift: Omit<Extract<IncidentEvent, { event: 'drift' }>, 'event'>,
): Incident {
  return store.unit(() => {
    const row = store.incidents.find(key.targetId, key.checkId, key.condition);
    if (row !== null) return recordStep(store, row.incidentId, { event: 'drift', ...drift });
    const { incident, line } = openIncident(newId(), key, drift);
    store.incidents.put(rowOf(incident), line === null ? [] : [line]);
    return incident;
  });
}

/** @throws incident_unknown; internal where the event does not follow */
export function recordStep(store: Incidents, incidentId: string, event: IncidentEvent): Incident {
  return store.unit(() => {
    const row = store.incidents.get(incidentId);
    if (row === null) throw new AgentError('incident_unknown', `there is no incident ${incidentId}`);
    const { incident, line } = stepIncident(incidentOf(row), event);
    store.incidents.put(rowOf(incident), line === null ? [] : [line]);
    return incident;
  });
}
