// `incidents list | show` and `healing explain`: what became of each drift, as a story, and why healing did or did not act.
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { explainIncident } from '../healing/explain-incident.ts';
import { incidentOf } from '../healing/incident-store.ts';
import type { Incident } from '../healing/incident.ts';
import type { IncidentLine, Store } from '../store/open-store.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { stateDirOf, withEnrolledStore } from './open-state.ts';
import { print } from './print.ts';
import { ago, columns, harmless, painter, utc, type Colour } from './style.ts';

const COLOURS: Partial<Record<Incident['state'], Colour>> = {
  ticketed: 'red',
  waiting: 'yellow',
  healed: 'green',
  closed: 'dim',
};

const fieldsOf = (incident: Incident) => ({
  incident_id: incident.id,
  ...{ target: incident.targetId, check: incident.checkId, condition: incident.condition },
  ...{ state: incident.state, severity: incident.severity },
  ...{ opened_at: incident.openedAt, opened_seq: incident.openedSeq, changed_at: incident.changedAt },
  next_step_at: incident.nextStepAt,
  recurrences: incident.recurredAt.length,
});

/** Newest change first; closed ones only with `all`. */
export async function incidentsList(context: CliContext, options: { limit: number; all?: boolean }): Promise<number> {
  return withEnrolledStore(context, stateDirOf(context), (store) => {
    const but = options.all === true ? [] : ['closed'];
    const incidents = store.incidents.list({ limit: options.limit, but }).map(incidentOf);
    const paint = painter(context.stdout, context.env);
    print(context, 'incidents-list', { incidents: incidents.map(fieldsOf) }, () => {
      if (incidents.length === 0) return [options.all === true ? 'no incidents yet' : 'no open incidents'];
      return columns(
        incidents.map((i) => [
          i.id,
          i.state,
          i.severity,
          `${i.checkId} on ${i.targetId}`,
          i.condition,
          utc(i.changedAt),
        ]),
        (text, column, row) => {
          const colour = COLOURS[incidents[row]?.state ?? 'seen'];
          return column === 1 && colour !== undefined ? paint(colour, text) : text;
        },
      );
    });
    return EXIT.ok;
  });
}

/** @throws incident_unknown */
function found(store: Store, given: string): { incident: Incident; story: IncidentLine[] } {
  const row = store.incidents.get(given);
  if (row === null) throw new AgentError('incident_unknown', `there is no incident ${harmless(given)}`);
  return { incident: incidentOf(row), story: store.incidents.lines(row.incidentId) };
}

const heading = (i: Incident): string => `${i.checkId} on ${i.targetId} (${i.condition}): ${i.state}, ${i.severity}`;

/** The whole story of one incident, each line with the entry of the log that it rests on. */
export async function incidentsShow(context: CliContext, incidentId: string): Promise<number> {
  return withEnrolledStore(context, stateDirOf(context), (store) => {
    const { incident, story } = found(store, incidentId);
    const lines = story.map(({ at, what, sentence, evidenceSeq: seq }) => ({ at, what, sentence, evidence_seq: seq }));
    print(context, 'incidents-show', { ...fieldsOf(incident), story: lines }, () => [
      heading(incident),
      ...columns(
        lines.map((line) => [
          utc(line.at),
          line.what,
          line.evidence_seq === null ? '' : `#${line.evidence_seq}`,
          line.sentence,
        ]),
      ),
    ]);
    return EXIT.ok;
  });
}

/** Why healing did or did not act, and when it will next. */
export async function healingExplain(context: CliContext, incidentId: string): Promise<number> {
  return withEnrolledStore(context, stateDirOf(context), (store) => {
    const { incident, story } = found(store, incidentId);
    const { why, next, nextAt } = explainIncident(incident, story);
    const now = nowSeconds(context);
    print(context, 'healing-explain', { ...fieldsOf(incident), why, next, next_at: nextAt }, () => [
      heading(incident),
      `why:  ${harmless(why)}`,
      `next: ${harmless(next)}${nextAt === null ? '' : ` (${utc(nextAt)}, ${ago(now, nextAt)})`}`,
    ]);
    return EXIT.ok;
  });
}
