// Nothing is healed without somebody's word: a runbook that the signed list names, and a standing grant or an order for it.
import { contentState, runbookClass } from '../trust/content-list.ts';
import { compareClasses } from '../trust/order-class.ts';
import type { StandingGrant } from '../wire/schemas/content.ts';
import type { OrderClass } from '../wire/schemas/primitives.ts';
import {
  people,
  refuseHealing,
  wait,
  type HealingFacts,
  type HealingRequest,
  type HealingStop,
} from './healing-facts.ts';
import { healingKeys } from './healing-keys.ts';
import { RUNS_WINDOW_S } from './healing-limits.ts';

/** The class of the runbook as the signed list has it; `disruptive` where it has none. */
export function classOf(request: HealingRequest, facts: HealingFacts): OrderClass {
  return runbookClass(facts.content, request.runbook) ?? 'disruptive';
}

/** The runbook's digest is in the list in force, and the list is still good for this. */
export function isListedRunbook(request: HealingRequest, facts: HealingFacts, now: number): HealingStop | null {
  if (request.runbook.id !== request.subject.runbookId)
    return refuseHealing('the limits are asked for another runbook');
  if (runbookClass(facts.content, request.runbook) === null) {
    return refuseHealing('the runbook is not in the signed content list');
  }
  const state = contentState(facts.content, now);
  const isOver = state === 'lapsed' || (state === 'expired' && classOf(request, facts) === 'disruptive');
  return isOver ? people('the content list is expired') : null;
}

const isFor = (grant: StandingGrant, request: HealingRequest): boolean =>
  grant.runbook.id === request.runbook.id &&
  grant.runbook.version === request.runbook.version &&
  grant.runbook.sha256 === request.runbook.sha256 &&
  grant.scope === (request.roles.declared === 'appliance' ? 'appliance' : 'targets');

/** The only limit that a grant may set beside the general ones; one that is not known is not ignored but refused. */
const GRANT_LIMIT = 'per_day';

function limitOf(grant: StandingGrant): number | 'unknown' | null {
  const names = Object.keys(grant.limits);
  if (names.length === 0) return null;
  const value = grant.limits[GRANT_LIMIT];
  return names.length === 1 && typeof value === 'number' && value >= 0 ? value : 'unknown';
}

/** A grant that fits in everything, or an order of the class that the runbook needs. */
export function isAuthorised(request: HealingRequest, facts: HealingFacts, now: number): HealingStop | null {
  const { authority } = request;
  const needed = classOf(request, facts);
  if (authority.by === 'order') {
    return compareClasses(authority.class, needed) < 0
      ? refuseHealing(`the runbook is ${needed} and the order ${authority.class}`)
      : null;
  }
  const grant = facts.content?.grants.find(
    (g) =>
      g.rule.id === authority.id &&
      g.rule.sha256 === authority.sha256 &&
      g.baseline_sha256 === authority.baselineSha256 &&
      now < g.not_after &&
      compareClasses(g.class, needed) >= 0 &&
      isFor(g, request),
  );
  if (grant === undefined) return people('nobody has granted that this rule runs this runbook here by itself');
  const limit = limitOf(grant);
  if (limit === 'unknown') return people('the grant sets a limit that this program does not know');
  if (limit === null) return null;
  const { run } = healingKeys(request.subject);
  const starts = facts.runs
    .filter(({ key, startedAt }) => key === run && now - startedAt < RUNS_WINDOW_S)
    .map(({ startedAt }) => startedAt)
    .toSorted((a, b) => b - a);
  if (starts.length < limit) return null;
  const last = starts[limit - 1];
  return wait(`the grant allows ${limit} runs in 24 hours`, last === undefined ? null : last + RUNS_WINDOW_S);
}
