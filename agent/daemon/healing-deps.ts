// Hands healing what it needs of the daemon: what the guards know at this moment, and what runs runbooks.
import type { EvidenceLog } from '../evidence/log.ts';
import { runRunbook } from '../execution/run-runbook.ts';
import { isForWindows, type ExecutorDeps } from '../execution/run-request.ts';
import type { HealingFacts } from '../guards/healing-facts.ts';
import { RUNS_COUNT_FOR_S, healingRuns } from '../healing/healing-runs.ts';
import { blockedRunbooks, siteBreakers } from '../healing/healing-memory.ts';
import type { HealDeps, HealingRunner, RunWatch } from '../healing/heal-incident.ts';
import { incidentOf } from '../healing/incident-store.ts';
import type { Incident } from '../healing/incident.ts';
import type { EntryBody } from '../wire/schemas/entry.ts';
import { acceptanceContext } from './acceptance-context.ts';
import type { Enrolled } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { pausedByHand, pausedByOrder } from './healing-pause.ts';
import { recordIncident, signedNow } from './note-incident.ts';
import { executorDeps } from './windows.ts';
import { bookOf } from './windows-work.ts';

export function healDeps(enrolled: Enrolled, context: DaemonContext, runId: string): HealDeps {
  const { store, state, healing } = context;
  return {
    store,
    now: () => signedNow(context),
    index: healing.rules.index,
    runner: healingRunner(enrolled, context, runId),
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

function healingRunner(enrolled: Enrolled, context: DaemonContext, runId: string): HealingRunner {
  const { windows, targets } = context;
  return {
    held: (id) => windows.books.find(({ loaded }) => loaded.runbook.id === id)?.loaded ?? null,
    whyNotNow: (_loaded, targetId) =>
      targets.list().some(({ id }) => id === targetId) ? null : 'there are no credentials for this target now',
    async run({ loaded, targetId, params, dryRun, link, watch }, signal) {
      const book = bookOf(windows, loaded.sha256);
      if (book === null || !isForWindows(loaded)) {
        return { outcome: 'rejected', code: 'runbook_unknown', sentence: 'this runbook is not held', changes: 0 };
      }
      return runRunbook(
        {
          ...book,
          ...{ targetId, dryRun, params, link },
          action: 'remediate',
          pinnedIdentity: null,
          windowOverridden: false,
        },
        watched(executorDeps(enrolled, context, runId, 'healing'), watch),
        signal,
      );
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
