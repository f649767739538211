// Heals what is due: one run at a time. Its looks are those of the stages that look; here it is decided, acted, and kept what came of it.
import { isAgentError } from '../../errors/agent-error.ts';
import type { HealingFacts } from '../../guards/healing-facts.ts';
import { dueIncidents } from '../../healing/due-incidents.ts';
import { healIncident, type Healed } from '../../healing/heal-incident.ts';
import { atNewGrounds } from '../../healing/healing-memory.ts';
import { learntRules, takeUpLearnt } from '../../healing/learning/learnt-rules.ts';
import { giveUpWithoutLook, UNMATCHED } from '../../healing/incident-book.ts';
import { incidentOf, recordStep } from '../../healing/incident-store.ts';
import type { Incident, IncidentEvent } from '../../healing/incident.ts';
import type { Severity } from '../../wire/schemas/primitives.ts';
import type { Enrolled } from '../agent-state.ts';
import type { DaemonContext } from '../context.ts';
import { healDeps, memoryOf } from '../healing-deps.ts';
import { beginPauseByHand, pausedByHand, pausedByOrder } from '../healing-pause.ts';
import { noteWaiting, recordIncident, signedNow } from '../note-incident.ts';
import { APPLIANCE_TARGET } from '../run-checks.ts';
import type { Stage, StageResult } from '../stage.ts';

const LOOK_MS = 5_000;
/** One run: below the hour for which it may keep the credentials of its target. */
const DEADLINE_MS = 55 * 60_000;
const RANK: readonly Severity[] = ['critical', 'high', 'medium', 'low', 'info'];
/** What went to people because of what was signed, and not because of what was tried, is judged anew when something else is signed. */
const SIGNED_GUARDS: ReadonlySet<string> = new Set([
  'mode',
  'authority',
  'validation',
  'rule',
  'planner',
  'limits',
  'window',
]);

export function healingStage(context: DaemonContext): Stage {
  const { state, store, config } = context;
  const waiting = dueIncidents();
  return {
    name: 'healing',
    wanted: () => state.enrolled !== null,
    intervalMs: () => Math.min(LOOK_MS, (config.checks_interval_s ?? LOOK_MS) * 1_000),
    jittered: false,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => 60_000,
    async run(signal, runId): Promise<StageResult | void> {
      const { enrolled } = state;
      const now = signedNow(context);
      if (enrolled === null || now === null) return;
      noteWaiting(context, enrolled.evidence);
      beginPauseByHand(store, now);
      tellPause(enrolled, context, now);
      const memory = memoryOf(enrolled, context);
      tellMemory(enrolled, memory);
      const learnt = takeUpRules(enrolled, context, now);
      endInterrupted(enrolled, context, now);
      haveLookedAt(context);
      const signed = groundsOf(enrolled);
      atNewGrounds(store, signed, () => armAgain(enrolled, context, now));
      const by = JSON.stringify([signed, pausedByOrder(store), pausedByHand(store), memory, learnt]);
      const open = store.incidents.due(['seen', 'waiting'], Number.MAX_SAFE_INTEGER).map(incidentOf);
      for (const incident of inOrder(waiting.of(open, by, now))) {
        signal.throwIfAborted();
        const came = await heal(incident, enrolled, context, signal, runId);
        if (came !== 'not_yet') waiting.judged(incident.id, by);
        if (came === 'ran') {
          // What else is due is judged with what this run left.
          waiting.forget();
          return { nextInMs: 0 };
        }
      }
    },
  };
}

const inOrder = (incidents: readonly Incident[]): Incident[] =>
  incidents.toSorted(
    (a, b) =>
      // What no rule fits may take a while to ask about; no rule waits for that.
      Number(a.condition === UNMATCHED) - Number(b.condition === UNMATCHED) ||
      RANK.indexOf(a.severity) - RANK.indexOf(b.severity) ||
      a.openedAt - b.openedAt,
  );

async function heal(
  incident: Incident,
  enrolled: Enrolled,
  context: DaemonContext,
  signal: AbortSignal,
  runId: string,
): Promise<Healed> {
  const { healing } = context;
  healing.underWay = incident.id;
  try {
    return await healIncident(incident, healDeps(enrolled, context, runId), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isAgentError(error) || error.code === 'internal' || error.code.startsWith('store_')) throw error;
    context.log.error('incident not healed', { incident: incident.id, code: error.code, reason: error.message });
    return 'judged';
  } finally {
    healing.underWay = null;
  }
}

/** Policy and content list as they were signed. */
function groundsOf({ trust }: Enrolled): string {
  return JSON.stringify([trust.policy()?.digest ?? null, trust.content()?.digest ?? null]);
}

/** Steps an incident with an entry that says the same. */
function say(
  enrolled: Enrolled,
  context: DaemonContext,
  incident: Incident,
  event: IncidentEvent,
  sentence: string,
): void {
  context.store.unit(() => {
    const seq = recordIncident(context, enrolled.evidence, { ...incident, state: 'seen', nextStepAt: null }, sentence);
    recordStep(context.store, incident.id, { ...event, seq });
  });
}

/** What a process that ended had begun: looked at first (stages/runbooks-stage.ts), never run again as if nothing had been. */
function endInterrupted(enrolled: Enrolled, context: DaemonContext, at: number): void {
  const { store, healing } = context;
  for (const row of store.incidents.due(['acting', 'verifying'], Number.MAX_SAFE_INTEGER)) {
    const incident = incidentOf(row);
    const run = store.runs.lastOfIncident(incident.id);
    if (incident.id === healing.underWay) continue;
    // Ended as deferred: it goes on by itself on the target, and later looks say what comes of it.
    if (run?.state === 'ended' && run.outcome === 'deferred') {
      const record = (one: Incident, what: string): number => recordIncident(context, enrolled.evidence, one, what);
      giveUpWithoutLook({ store, record }, incident.id, at);
      continue;
    }
    const sentence = 'the run was cut off; what it did is looked at first';
    say(enrolled, context, incident, { event: 'result', outcome: 'interrupted', at }, sentence);
  }
}

/** Nothing is healed on a target whose cut-off run was not looked at: soon, where it can be reached. */
function haveLookedAt({ store, targets, trigger }: DaemonContext): void {
  const here = new Set([APPLIANCE_TARGET, ...targets.list().map(({ id }) => id)]);
  if (store.runs.interrupted().some(({ targetId }) => here.has(targetId))) trigger('runbooks');
}

/** Another policy or content list was signed. */
function armAgain(enrolled: Enrolled, context: DaemonContext, at: number): void {
  const { store } = context;
  for (const row of store.incidents.due(['ticketed'], Number.MAX_SAFE_INTEGER)) {
    const incident = incidentOf(row);
    if (incident.held === null || !SIGNED_GUARDS.has(incident.held.guard)) continue;
    const sentence = 'another policy or content list was signed: it is judged anew';
    say(enrolled, context, incident, { event: 'rearmed', at, sentence }, sentence);
  }
}

/** What nobody may heal by itself until two persons say so, people hear of at once. */
function tellMemory({ recorder }: Enrolled, memory: HealingFacts['memory']): void {
  if (memory === 'lost') recorder.raise('healing_memory_lost', { severity: 'high', details: {} });
  else recorder.clear('healing_memory_lost');
}

/**
 * Trials of learnt rules that begin and end, and people told of one that does not hold.
 *
 * @returns how they stand, as one text
 */
function takeUpRules(enrolled: Enrolled, { store, healing }: DaemonContext, now: number): string {
  const { evidence, recorder, trust } = enrolled;
  const { index } = healing.rules;
  const grants = trust.content()?.value.grants ?? [];
  const granted = (sha256: string): boolean =>
    grants.some(({ rule, not_after: end }) => rule.sha256 === sha256 && now < end);
  takeUpLearnt({ store, evidence }, index, granted, now);
  const known = learntRules(store);
  const states = index.learnt.map(({ sha256 }) => known.get(sha256)?.state ?? null);
  if (states.includes('demoted')) recorder.raise('learnt_rule_demoted', { severity: 'medium', details: {} });
  else recorder.clear('learnt_rule_demoted');
  return JSON.stringify(states);
}

/** A pause by hand is an alert as long as it lasts: people hear of it who did not set it. */
function tellPause({ recorder }: Enrolled, { store }: DaemonContext, now: number): void {
  const until = pausedByHand(store) ?? 0;
  if (until > now) recorder.raise('healing_paused_by_hand', { severity: 'medium', details: {} });
  else recorder.clear('healing_paused_by_hand');
}
