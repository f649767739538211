// What a recorded finding does to the incidents of its target and check. Called within the unit of work that records the finding,
// so that entry and story are kept together or not at all.
import { startedRuns } from '../execution/appliance/started-runs.ts';
import type { Store } from '../store/open-store.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import { noteNeed } from './healing-memory.ts';
import { roleWord } from './healing-runs.ts';
import { incidentOf, recordDrift, recordStep } from './incident-store.ts';
import type { Incident, IncidentEvent } from './incident.ts';
import type { RuleIndex, RuleSubject } from './rule-index.ts';
import type { Rule } from './rule.ts';

/** The condition of drift that no rule fits. */
export const UNMATCHED = 'unmatched';
/** What was started on a target and has not come right by itself after this has failed. */
export const LATE_LOOK_S = 86_400;

export interface BookDeps {
  readonly store: Pick<Store, 'unit' | 'incidents' | 'runs' | 'settings'>;
  readonly newId: () => string;
  readonly index: RuleIndex;
  /** Drift began, or came back after it passed. */
  readonly began?: (incident: Incident, finding: Finding, at: number) => void;
  /** Writes an entry of kind `incident` about the incident as it is now; its seq. */
  readonly record: (incident: Incident, sentence: string) => number;
}

export const subjectOf = (finding: Finding, failingSince: number): RuleSubject => ({
  platform: finding.target.role === 'appliance' ? 'appliance' : 'windows',
  check: finding.check.id,
  ...{ result: finding.result, severity: finding.severity, facts: finding.facts, readAt: finding.facts_read_at },
  failingSince,
  role: roleWord(finding.target.role),
});

/** First sight of the drift that these incidents are about; `at` where there is none. */
const failingSince = (incidents: readonly Incident[], at: number): number =>
  Math.min(at, ...incidents.map(({ seenAt }) => seenAt[0] ?? at));

/** `seq`: the entry that the finding rests on. `at`: signed time. */
export function noteFinding(deps: BookDeps, finding: Finding, seq: number, at: number): void {
  const { store } = deps;
  store.unit(() => {
    const known = store.incidents.ofCheck(finding.target.id, finding.check.id).map(incidentOf);
    const step = (incident: Incident, event: IncidentEvent): Incident => recordStep(store, incident.id, event);
    switch (finding.result) {
      case 'fail':
        return noteDrift(deps, finding, seq, at, known);
      case 'unknown':
        for (const one of known) step(one, { event: 'unknown', at, seq, sentence: finding.sentence });
        return;
      case 'waived':
        for (const one of known) if (isThere(one)) step(one, { event: 'waived', at, seq, sentence: finding.sentence });
        return;
      case 'pass':
      case 'not_applicable':
        for (const one of known) notePass(deps, one, seq, at);
    }
  });
}

const isThere = ({ state }: Incident): boolean => !['closed', 'passing', 'healed'].includes(state);

function notePass(deps: BookDeps, incident: Incident, seq: number, at: number, sentence?: string): void {
  const { store } = deps;
  if (incident.state === 'closed') return;
  if (isLeftToItself(store, incident)) {
    // What is still at work may take back what a look sees: an update does. Whoever looks after it says what came of it.
    if (isLookedAfter(store, incident)) return;
    recordStep(store, incident.id, { event: 'result', outcome: 'healed', at, seq });
    return;
  }
  const passing = recordStep(store, incident.id, {
    event: 'pass',
    at,
    seq,
    ...(sentence === undefined ? {} : { sentence }),
  });
  closeWhereStable(deps, passing, at);
}

/** It passed for 24 hours: said in an entry of its own. */
function closeWhereStable({ store, record }: BookDeps, incident: Incident, at: number): void {
  const closed = recordStep(store, incident.id, { event: 'tick', at });
  if (closed.state === 'closed' && incident.state !== 'closed') record(closed, 'it passed for 24 hours');
}

/** A look that fails after {@link LATE_LOOK_S} says what came of it; where none came for this much longer, none is waited for. */
const NO_LOOK_S = 3_600;

/**
 * Ends what was started on a target that nobody can look at any more: it goes to people, who can.
 *
 * @param at signed time
 */
export function giveUpWithoutLook(deps: Pick<BookDeps, 'store' | 'record'>, incidentId: string, at: number): void {
  const { store, record } = deps;
  store.unit(() => {
    const row = store.incidents.get(incidentId);
    const incident = row === null ? null : incidentOf(row);
    if (incident === null || !isLeftToItself(store, incident)) return;
    if (at - incident.changedAt < LATE_LOOK_S + NO_LOOK_S) return;
    const sentence = 'what was started on the target ended with nobody to see it: no look at it has come since';
    const seq = record({ ...incident, state: 'ticketed', nextStepAt: null }, sentence);
    recordStep(store, incidentId, { event: 'result', outcome: 'failed', at, seq });
    const verdict = { verdict: 'people', guard: 'target', sentence, until: null } as const;
    recordStep(store, incidentId, { event: 'judged', at, verdict, runbook: null, seq });
  });
}

/** Its run ended with something started on the target, which goes on there: looks by themselves say what comes of it. */
function isLeftToItself(store: BookDeps['store'], { id, state }: Incident): boolean {
  if (state !== 'verifying') return false;
  const run = store.runs.lastOfIncident(id);
  return run?.state === 'ended' && run.outcome === 'deferred';
}

function isLookedAfter(store: BookDeps['store'], { id }: Incident): boolean {
  const run = store.runs.lastOfIncident(id);
  return run !== null && startedRuns(store).some(({ runId }) => runId === run.runId);
}

function noteDrift(deps: BookDeps, finding: Finding, seq: number, at: number, known: readonly Incident[]): void {
  const { store } = deps;
  const rule = deps.index.match(subjectOf(finding, failingSince(known, at)), at);
  const condition = rule?.file.id ?? UNMATCHED;
  for (let other of known) {
    if (other.condition === condition) continue;
    if (isLeftToItself(store, other)) {
      // The check fails: nothing says that what was started has come right.
      if (at - other.changedAt < LATE_LOOK_S) continue;
      other = recordStep(store, other.id, { event: 'result', outcome: 'failed', at, seq });
    }
    if (isThere(other) || other.passingSince !== null)
      notePass(deps, other, seq, at, 'the check fails in another way now');
  }
  const own = known.find((one) => one.condition === condition);
  if (own !== undefined && isOfBefore(store, own, finding, at)) return;
  if (own !== undefined && isLeftToItself(store, own)) {
    if (at - own.changedAt >= LATE_LOOK_S) {
      recordStep(store, own.id, { event: 'result', outcome: 'failed', at, seq });
    }
    return;
  }
  if (own !== undefined && isArmedAgain(own, rule)) {
    const armed = recordStep(store, own.id, { event: 'rearmed', at, seq, sentence: 'its rule was changed' });
    deps.record(armed, 'its rule was changed');
  }
  const incident = recordDrift(
    store,
    deps.newId,
    { targetId: finding.target.id, checkId: finding.check.id, condition },
    {
      ...{ at, seq, sentence: finding.sentence, rule: rule?.sha256 ?? null },
      severity: rule?.file.severity ?? finding.severity,
    },
  );
  if (own === undefined || !isThere(own) || own.passingSince !== null) deps.began?.(incident, finding, at);
  if (rule?.file.runbook !== undefined && isNeedNew(own, incident)) {
    noteNeed(store, rule.file.runbook, finding.target.id, at);
  }
}

/**
 * Whether it says what was so before the run that healed had ended: looks of one round are recorded together, and a run may end in
 * between. That drift came back is for the next look to say. Where the wall clock was set back, no longer than {@link NO_LOOK_S}.
 */
function isOfBefore(store: BookDeps['store'], { id, state }: Incident, finding: Finding, at: number): boolean {
  if (state !== 'healed' || finding.facts_read_at === null) return false;
  const run = store.runs.lastOfIncident(id);
  if (run === null || run.endedAt === null) return false;
  return finding.facts_read_at <= run.endedAt && at - run.at < NO_LOOK_S;
}

const isArmedAgain = (own: Incident, rule: Rule | null): boolean =>
  own.state === 'ticketed' && own.ruleSha256 !== (rule?.sha256 ?? null);

/** A runbook is needed from the look on that lets it be run: the second one, or the first of critical drift. */
function isNeedNew(before: Incident | undefined, after: Incident): boolean {
  if (after.state !== 'seen' && after.state !== 'waiting') return false;
  const looks = after.severity === 'critical' ? 1 : 2;
  return after.seenAt.length >= looks && (before === undefined || !isThere(before) || before.seenAt.length < looks);
}
