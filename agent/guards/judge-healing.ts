// May this be healed now? One list of guards in a fixed order, the same for every action, every target and every caller
// (docs/healing-guards.md). Pure: what they know is handed in, what they say is recorded by the caller.
import type { OrderClass } from '../wire/schemas/primitives.ts';
import { classOf, isAuthorised, isListedRunbook } from './healing-authority.ts';
import {
  people,
  refuseHealing,
  wait,
  type HealingFacts,
  type HealingMode,
  type HealingRequest,
  type HealingRun,
  type HealingStop,
} from './healing-facts.ts';
import { healingKeys, targetKey, type HealingKeys } from './healing-keys.ts';
import { limitProblems } from './healing-limits.ts';
import { attempts, coolDown, flapping, runsOfADay, twoLooks } from './healing-rate.ts';
import { windowState } from './maintenance-window.ts';
import { policyView } from './order-steps.ts';

/** Work that the window put off for longer than this goes to people. */
export const MAX_DEFERRAL_S = 7 * 86_400;

interface Known {
  readonly request: HealingRequest;
  readonly facts: HealingFacts;
  readonly keys: HealingKeys;
  readonly now: number;
  readonly class: OrderClass;
  readonly isDryRun: boolean;
}
type Guard = (known: Known) => HealingStop | null;

const RANK: Readonly<Record<HealingMode, number>> = { off: 0, dry_run: 1, on: 2 };
/** The strictest mode has the lowest. */
export const healingRank = (mode: HealingMode): number => RANK[mode];

/** The strictest of what policy, its entry for the runbook, the configuration and the order say. No policy: `off`. */
export function healingMode(request: HealingRequest, facts: HealingFacts): HealingMode {
  const { policy, localMode } = facts;
  const own = policy?.healing.runbooks.find(({ id }) => id === request.runbook.id)?.mode;
  const asked: HealingMode = request.authority.by === 'order' && request.authority.dryRun ? 'dry_run' : 'on';
  const modes: HealingMode[] = [policy?.healing.mode ?? 'off', own ?? 'on', localMode, asked];
  return modes.reduce((strictest, mode) => (RANK[mode] < RANK[strictest] ? mode : strictest));
}

/** Unknown roles count as a domain controller, and one word for it is enough. */
export function isDomainController(roles: HealingRequest['roles']): boolean {
  const known = [roles.declared, roles.detected].filter((role) => role !== null);
  return known.length === 0 || known.includes('domain_controller');
}

const isOpen = (run: HealingRun): boolean => run.outcome === null;
const changes = ({ isDryRun }: Known): boolean => !isDryRun;
const isDisruptive = (known: Known): boolean => known.class === 'disruptive' && changes(known);

/** journald is never restarted, stopped or vacuumed by healing, whatever its unit is called here. */
const isJournald = (unit: string): boolean => /^systemd-journal|^journald|^syslog\.socket/i.test(unit.trim());

function pause({ facts, now, isDryRun }: Known): HealingStop | null {
  const ends = [facts.pausedUntil.byOrder, facts.pausedUntil.byHand].filter((until) => until !== null && now < until);
  const until = Math.max(...ends.map(Number));
  return ends.length > 0 && !isDryRun ? wait('healing is paused', until) : null;
}

/** A database that was lost or set back knows of no pause and no breaker from before; what people order is theirs to answer for. */
function epoch({ request, facts, isDryRun }: Known): HealingStop | null {
  if (facts.memory === 'whole' || isDryRun || request.authority.by === 'order') return null;
  return wait(
    facts.memory === 'lost'
      ? 'the epoch of the log is one that nobody ordered: what was paused or stopped before is lost until two persons enable healing'
      : 'Central Command has not answered since the start: nobody has said that this log is the newest',
  );
}

/** A learnt rule on trial acts on one target, and not before people know of the drift; one that does not hold does not act at all. */
function trial({ facts, keys, isDryRun }: Known): HealingStop | null {
  const { trial: known } = facts;
  if (known === null || known.state === 'active') return null;
  if (known.state === 'demoted') return people('the learnt rule did not hold often enough and is not used any more');
  if (isDryRun) return null;
  const isOther = known.targetId !== null && targetKey(known.targetId) !== keys.target;
  if (isOther) return wait('the learnt rule is on trial on another target', known.until);
  return known.isTold ? null : wait('the learnt rule is on trial: people are told of the drift first');
}

function onlyOne(known: Known): HealingStop | null {
  const other = known.facts.runs.find((run) => isOpen(run) && run.targetKey !== known.keys.target);
  return changes(known) && other !== undefined ? wait('another target of this site is being healed') : null;
}

/** A domain controller that was not left in order keeps every other one from being touched. */
function domainControllers(known: Known): HealingStop | null {
  if (!changes(known) || !isDomainController(known.request.roles)) return null;
  const others = known.facts.runs.filter((run) => run.domainController && run.targetKey !== known.keys.target);
  const lasts = new Map(others.toSorted((a, b) => a.startedAt - b.startedAt).map((run) => [run.targetKey, run]));
  const unsound = [...lasts.values()].some(({ outcome }) => outcome !== 'success' && outcome !== 'dry_run');
  return unsound ? wait('another domain controller was not left in order') : null;
}

function window(known: Known): HealingStop | null {
  const { request, facts, now } = known;
  if (!isDisruptive(known)) return null;
  const policy = policyView(facts);
  const leaves = request.authority.by === 'order' && request.authority.leavesWindow;
  if (leaves)
    return policy.overrideAllowed ? null : refuseHealing('the site policy lets nothing leave the window aside');
  const state = windowState(policy.windows, policy.timeZone, now);
  if (state.open) return null;
  if (state.opensAt === null) return people('the site has no maintenance window');
  const since = facts.deferredSince;
  if (since !== null && now - since > MAX_DEFERRAL_S)
    return people('the maintenance window put it off for over a week');
  return wait('the maintenance window is closed', state.opensAt);
}

/** In the order in which they are asked: what never may be, before what must wait; what anybody can lift, last. */
export const HEALING_GUARDS: Readonly<Record<string, Guard>> = {
  limits: ({ request }) => {
    const [problem] = limitProblems(request.limits);
    return problem === undefined ? null : refuseHealing(problem);
  },
  journald: ({ request }) =>
    request.units.some(isJournald) ? refuseHealing('journald is never restarted or stopped by healing') : null,
  validation: ({ request, facts, now }) => isListedRunbook(request, facts, now),
  authority: ({ request, facts, now }) => isAuthorised(request, facts, now),
  trial,
  pause,
  epoch,
  evidence: ({ facts }) => (facts.evidenceReady ? null : wait('the log takes no entry now')),
  interrupted: ({ facts, keys }) =>
    facts.runs.some((run) => isOpen(run) && run.targetKey === keys.target)
      ? wait('a run on this target has no result yet: what it did is looked at first')
      : null,
  runbook_breaker: ({ request, facts }) =>
    facts.blockedRunbooks.has(request.runbook.id) ? people('a rollback of this runbook failed') : null,
  site_breaker: ({ request, facts }) =>
    (facts.siteBreakers.get(request.runbook.id)?.openedAt ?? null) === null
      ? null
      : people('several targets needed this runbook within an hour'),
  flap: ({ request, facts, now }) => flapping(facts.recurredAt, request.limits, now),
  attempts: ({ request, facts, keys, now }) => {
    const own = facts.runs.filter((run) => run.incidentKey === keys.incident);
    return attempts(own, request.limits, facts.attemptsFrom, now);
  },
  two_looks: ({ request, facts, now }) =>
    request.severity === 'critical' || request.authority.by === 'order' ? null : twoLooks(facts.seenAt, now),
  cool_down: ({ request, facts, keys, now }) => coolDown(runsOf(facts, keys), request.limits, now),
  runs_per_day: ({ request, facts, keys, now }) => runsOfADay(runsOf(facts, keys), request.limits, now),
  one_at_a_time: onlyOne,
  domain_controllers: domainControllers,
  clock: (known) =>
    isDisruptive(known) && !known.facts.clockSound ? wait('the clock is unsound: nothing disruptive is done') : null,
  window,
};

const runsOf = (facts: HealingFacts, keys: HealingKeys): HealingRun[] =>
  facts.runs.filter(({ key }) => key === keys.run);

export type HealingVerdict =
  | { readonly verdict: 'act' }
  | { readonly verdict: 'dry_run' }
  | {
      readonly verdict: 'wait' | 'people' | 'refuse';
      /** Which guard; stands in evidence. */
      readonly guard: string;
      readonly sentence: string;
      readonly until: number | null;
    };

/**
 * `dry_run` where everything would let it act and the mode does not: nothing may be changed then, and its outcome is never a
 * success. `guards`: all of them, in their order, unless a test shows what happens without one.
 */
export function judgeHealing(
  request: HealingRequest,
  facts: HealingFacts,
  guards: Readonly<Record<string, Guard>> = HEALING_GUARDS,
): HealingVerdict {
  const mode = healingMode(request, facts);
  const { now } = facts;
  if (now === null) {
    return { verdict: 'wait', guard: 'time', sentence: 'there is no signed time in this boot yet', until: null };
  }
  if (mode === 'off') {
    return { verdict: 'people', guard: 'mode', sentence: 'healing is switched off for this', until: null };
  }
  const known: Known = {
    request,
    facts,
    now,
    keys: healingKeys(request.subject),
    class: classOf(request, facts),
    isDryRun: mode === 'dry_run',
  };
  for (const [guard, judge] of Object.entries(guards)) {
    const stop = judge(known);
    if (stop !== null) return { verdict: stop.stop, guard, sentence: stop.sentence, until: stop.until };
  }
  return known.isDryRun ? { verdict: 'dry_run' } : { verdict: 'act' };
}
