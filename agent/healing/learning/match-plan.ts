// Whether a run that people ordered carries out what a planner (L2) proposed for drift that is with people.
import type { Store } from '../../store/open-store.ts';
import { jcs } from '../../wire/jcs.ts';
import { UNMATCHED } from '../incident-book.ts';
import { incidentOf } from '../incident-store.ts';
import { lastProposed } from '../planner/plan-healing.ts';
import type { Platform } from '../rule-fields.ts';

export interface OrderedRun {
  readonly platform: Platform;
  readonly targetId: string;
  readonly checkId: string;
  readonly runbookSha256: string;
  /** All params of the runbook, defaults included. */
  readonly params: Readonly<Record<string, unknown>>;
  /** As the order names it; absent where it names none. */
  readonly ticket?: string | undefined;
}

/**
 * The incident whose proposal has this very runbook and these very params; null where there is none. An order that names a ticket has to
 * name this incident, or the ticket about its check on its target.
 */
export function incidentOfPlan(
  store: Pick<Store, 'incidents' | 'planner' | 'tickets'>,
  run: OrderedRun,
): string | null {
  const { platform, targetId, checkId } = run;
  const incident = store.incidents
    .ofCheck(targetId, checkId)
    .map(incidentOf)
    .find(({ condition, state }) => condition === UNMATCHED && state !== 'closed');
  if (incident === undefined) return null;
  const plan = lastProposed(store, { platform, target: targetId, check: checkId, condition: UNMATCHED });
  if (plan === null || plan.runbook.sha256 !== run.runbookSha256 || jcs(plan.params) !== jcs(run.params)) return null;
  const { ticket } = run;
  if (ticket === undefined || ticket === incident.id) return incident.id;
  return isTicketAbout(store, ticket, `finding/${targetId}/${checkId}`) ? incident.id : null;
}

function isTicketAbout({ tickets }: Pick<Store, 'tickets'>, id: string, key: string): boolean {
  return tickets.all().some((json) => {
    const ticket = JSON.parse(json) as { id?: unknown; key?: unknown };
    return ticket.id === id && ticket.key === key;
  });
}
