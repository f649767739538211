// Hands healing what it needs of the daemon: what the guards know at this moment, and what runs runbooks.
import type { EvidenceLog } from '../evidence/log.ts';
import { runRunbook } from '../execution/run-runbook.ts';
import { isForAppliance, type ApplianceDeps } from '../execution/appliance/appliance-run.ts';
import { runApplianceRunbook } from '../execution/appliance/run-appliance-runbook.ts';
import { ended, type ExecutorDeps } from '../execution/run-request.ts';
import type { LoadedRunbook } from '../execution/load-runbook.ts';
import type { HealingFacts, Trial } from '../guards/healing-facts.ts';
import { RUNS_COUNT_FOR_S, healingRuns } from '../healing/healing-runs.ts';
import { blockedRunbooks, isMemoryWhole, siteBreakers } from '../healing/healing-memory.ts';
import type { HealDeps, HealingRun, HealingRunner, RunWatch } from '../healing/heal-incident.ts';
import { incidentOf } from '../healing/incident-store.ts';
import type { Incident } from '../healing/incident.ts';
import { learntRules } from '../healing/learning/learnt-rules.ts';
import type { Ticket } from '../outputs/ticket.ts';
import type { EntryBody } from '../wire/schemas/entry.ts';
import { acceptanceContext } from './acceptance-context.ts';
import type { Enrolled } from './agent-state.ts';
import { applianceDeps } from './appliance.ts';
import type { DaemonContext } from './context.ts';
import { learning, learningAtHome, type LearntRun } from './learn-from-runs.ts';
import { pausedByHand, pausedByOrder } from './healing-pause.ts';
import { recordIncident, signedNow } from './note-incident.ts';
import { proposing } from './propose-deps.ts';
import { executorDeps } from './windows.ts';
import { bookOf } from './windows-work.ts';

export function healDeps(enrolled: Enrolled, context: DaemonContext, runId: string): HealDeps {
  const { store, state, healing } = context;
  const runner = healingRunner(enrolled, context, runId);
  return {
    store,
    now: () => signedNow(context),
    index: healing.rules.index,
    runner,
    propose: proposing(enrolled, context, runner, runId),
    finding: (targetId, checkId) => state.findings.get(`${targetId}/${checkId}`) ?? null,
    facts: (incident) => healingFacts(enrolled, context, incident),
    baselineSha256: () => context.checks.baseline.sha256,
    record: (incident, sentence) => recordIncident(context, enrolled.evidence, incident, sentence),
  };
}

function healingFacts(enrolled: Enrolled, context: DaemonContext, incident: Incident): HealingFacts {
  const { store, state } = context;
  const { nowT: now, clockSound, policy, content, localWindow, readOnly } = acceptanceContext(enrolled, context);
  const { seenAt, recurredAt, attemptsFrom, deferredSince } = incident;
  const rows = now === null ? [] : store.runs.allSince(now - RUNS_COUNT_FOR_S);
  return {
    ...{ now, clockSound, policy, content, localWindow: localWindow ?? null },
    localMode: context.config.healing_mode,
    pausedUntil: { byOrder: pausedByOrder(store), byHand: pausedByHand(store) },
    memory: memoryOf(enrolled, context),
    trial: trialOf(context, incident),
    // A log that goes back, or that another one contradicts, takes no work but looks.
    evidenceReady: state.storeError === null && !readOnly,
    ...{ seenAt, recurredAt, attemptsFrom, deferredSince },
    runs: healingRuns(rows, (id) => {
      const row = store.incidents.get(id);
      return row === null ? null : incidentOf(row);
    }),
    siteBreakers: siteBreakers(store),
    blockedRunbooks: blockedRunbooks(store),
  };
}

/** What healing knows of before: see {@link HealingFacts.memory}. */
export function memoryOf({ identity }: Enrolled, { store, state }: DaemonContext): HealingFacts['memory'] {
  if (!isMemoryWhole(store, identity.epoch)) return 'lost';
  return state.answerHeld === null ? 'unheard' : 'whole';
}

/** How far a learnt rule is trusted with this incident; null for any other rule. */
function trialOf({ store, healing }: DaemonContext, { condition, targetId, checkId }: Incident): Trial | null {
  const rule = healing.rules.index.learnt.find(({ file }) => file.id === condition);
  if (rule === undefined) return null;
  const known = learntRules(store).get(rule.sha256);
  const key = `finding/${targetId}/${checkId}`;
  const isTold = store.tickets.all().some((json) => {
    const ticket = JSON.parse(json) as Pick<Ticket, 'key' | 'state'>;
    return ticket.key === key && ticket.state !== 'closed';
  });
  if (known === undefined) return { state: 'canary', targetId: null, until: 0, isTold: false };
  return { state: known.state, targetId: known.targetId, until: known.until, isTold };
}

/** Fits no grant: no helper would act on it. */
const NO_RULE = { id: 'none', sha256: '0'.repeat(64) } as const;

function healingRunner(enrolled: Enrolled, context: DaemonContext, runId: string): HealingRunner {
  const { windows, appliance, targets } = context;
  const isHere = (id: string): boolean => targets.list().some((target) => target.id === id);
  return {
    held: (id) => [...windows.books, ...appliance.books].find(({ loaded }) => loaded.runbook.id === id)?.loaded ?? null,
    whyNotNow: (loaded, targetId) =>
      isForAppliance(loaded) || isHere(targetId) ? null : 'there are no credentials for this target now',
    async run({ loaded, targetId, params, dryRun, link, rule, watch }, signal) {
      const asked = { action: 'remediate', dryRun, params, link, windowOverridden: false } as const;
      if (isForAppliance(loaded)) {
        const lesson = lessonOf(loaded, targetId, { params, link, rule });
        const own = applianceDeps(enrolled, context, runId, 'healing');
        const deps = watchedLooks(lesson === null || dryRun ? own : learningAtHome(own, context, lesson), watch);
        const grounds = { kind: 'grant', rule: rule ?? NO_RULE } as const;
        return runApplianceRunbook({ ...asked, loaded, grounds }, deps, signal);
      }
      const book = bookOf(windows, loaded.sha256);
      if (book === null) return ended('rejected', 'runbook_unknown', 'this runbook is not held any more');
      const lesson = lessonOf(loaded, targetId, { params, link, rule });
      const own = executorDeps(enrolled, context, runId, 'healing');
      const deps = watched(lesson === null || dryRun ? own : learning(own, context, lesson), watch);
      return runRunbook({ ...asked, ...book, targetId, pinnedIdentity: null }, deps, signal);
    },
  };
}

const lessonOf = (
  { runbook, sha256 }: LoadedRunbook,
  targetId: string,
  { params, link, rule }: Pick<HealingRun, 'params' | 'link'> & { readonly rule: HealingRun['rule'] | undefined },
): LearntRun | null =>
  link.incident_id === undefined
    ? null
    : {
        ...{ incidentId: link.incident_id, targetId, checkId: runbook.check, tier: 'l1', params },
        ...{ runbook: { id: runbook.id, sha256 }, ruleSha256: rule?.sha256 ?? null },
      };

/** As {@link watched}, for runs on the appliance, whose looks come by themselves. */
export function watchedLooks(deps: ApplianceDeps, watch: RunWatch): ApplianceDeps {
  const { evidence } = watched({ evidence: deps.evidence, recordFindings: () => undefined }, watch);
  return {
    ...deps,
    evidence,
    look: (checkId, signal) => {
      watch.looked();
      return deps.look(checkId, signal);
    },
  };
}

/** The same, telling `watch` of what a run leaves in the log within the unit that writes it. */
export function watched<D extends Pick<ExecutorDeps, 'evidence' | 'recordFindings'>>(deps: D, watch: RunWatch): D {
  const append: EvidenceLog['append'] = (kind, body, options) => {
    const action = kind === 'action' ? (body as EntryBody<'action'>) : null;
    if (action?.phase === 'intent') watch.begins();
    const written = deps.evidence.append(kind, body, options);
    if (action !== null) {
      const { phase, outcome, code, actions } = written.body as EntryBody<'action'>;
      watch.wrote({
        ...{ phase, seq: written.seq, actions },
        ...(outcome === undefined ? {} : { outcome }),
        ...(code === undefined ? {} : { code }),
      });
    }
    return written;
  };
  return {
    ...deps,
    evidence: { append },
    recordFindings(findings) {
      watch.looked();
      deps.recordFindings(findings);
    },
  };
}
