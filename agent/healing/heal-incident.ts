// One incident that is due: its rule, the guards, and where they let it act one run of the rule's runbook; and what became of it.
// Works on ports: what runs a runbook, what the guards know and what the log takes are handed in.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { CODES, type ErrorCode } from '../errors/codes.ts';
import type { LoadedRunbook } from '../execution/load-runbook.ts';
import type { RunLink } from '../execution/record-run.ts';
import type { RunResult } from '../execution/run-request.ts';
import { defaultParams, type Runbook } from '../execution/runbook.ts';
import type { RunbookParams } from '../checks/windows/windows-check.ts';
import type { HealingFacts, HealingRequest } from '../guards/healing-facts.ts';
import { judgeHealing, type HealingVerdict } from '../guards/judge-healing.ts';
import type { Store } from '../store/open-store.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { ActionOutcome } from '../wire/schemas/primitives.ts';
import { blockRunbook } from './healing-memory.ts';
import { roleWord } from './healing-runs.ts';
import { subjectOf, UNMATCHED } from './incident-book.ts';
import { incidentOf, recordStep } from './incident-store.ts';
import type { Incident } from './incident.ts';
import type { RuleIndex } from './rule-index.ts';
import type { Rule } from './rule.ts';
import { whyNotUsable } from './rule-standing.ts';

/** Told of what a run leaves in the log, within the unit of work that writes it. */
export interface RunWatch {
  /** The intent is about to be written. */
  begins(): void;
  /** An entry of kind `action` was written; `actions` as they stand in it. */
  wrote(entry: {
    readonly phase: 'intent' | 'result';
    readonly seq: number;
    readonly outcome?: ActionOutcome;
    readonly code?: string;
    readonly actions: readonly string[];
  }): void;
  /** A look of its own was recorded. */
  looked(): void;
}

export interface HealingRun {
  readonly loaded: LoadedRunbook;
  readonly targetId: string;
  readonly params: RunbookParams;
  readonly dryRun: boolean;
  readonly link: RunLink;
  /** The rule of the standing grant that lets it: what a privileged helper looks up for itself. A dry run asks no helper. */
  readonly rule?: { readonly id: string; readonly sha256: string };
  readonly watch: RunWatch;
}

/** Runs a runbook on a target. What targets do is a result; the store's errors and the signal's reason are thrown. */
export interface HealingRunner {
  /** The runbook of that id that is held; null where there is none. */
  held(id: string): LoadedRunbook | null;
  /** Whether the target can be reached for a run now; else why not, as one clause. */
  whyNotNow(loaded: LoadedRunbook, targetId: string): string | null;
  run(run: HealingRun, signal: AbortSignal): Promise<RunResult>;
}

export interface HealDeps {
  readonly store: Pick<Store, 'unit' | 'incidents' | 'settings'>;
  /** Signed time; null without one in this boot. */
  readonly now: () => number | null;
  readonly index: RuleIndex;
  readonly runner: HealingRunner;
  /** The last finding that was read in this process; null where there is none yet. */
  readonly finding: (targetId: string, checkId: string) => Finding | null;
  /** What the guards know of this incident at this moment. */
  readonly facts: (incident: Incident) => HealingFacts;
  readonly baselineSha256: () => string;
  /** Writes an entry of kind `incident` about the incident as it is now; its seq. */
  readonly record: (incident: Incident, sentence: string) => number;
  /** A clause for the ticket about drift that no rule fits: what a planner (L2) proposes; null where it says nothing. */
  readonly propose?: (incident: Incident, finding: Finding, signal: AbortSignal) => Promise<string | null>;
}

/** After a run that ended before it changed anything, the next try. */
const RETRY_S = 3_600;

/** Units that a run stops or starts, as far as the runbook names them. */
function unitsOf(runbook: Runbook): readonly string[] {
  const { remediate } = runbook;
  return remediate.by === 'verb' && remediate.verb === 'restart-unit' ? remediate.arguments : [];
}

interface Plan {
  readonly rule: Rule;
  readonly loaded: LoadedRunbook;
  readonly request: HealingRequest;
}

const stop = (verdict: 'wait' | 'people', guard: string, sentence: string, until: number | null = null) =>
  ({ verdict, guard, sentence, until }) as const;

/** What would be run, or why nothing can be; null where a newer finding has to come first. */
function planOf(incident: Incident, deps: HealDeps, now: number): Plan | HealingVerdict | null {
  const { targetId, checkId, condition } = incident;
  const finding = deps.finding(targetId, checkId);
  if (finding === null || finding.result !== 'fail') return null;
  const rule = deps.index.match(subjectOf(finding, incident.seenAt[0] ?? now), now);
  if ((rule?.file.id ?? UNMATCHED) !== condition) return null;
  if (rule === null) return stop('people', 'rule', NO_RULE);
  const { runbook: runbookId, alert } = rule.file;
  if (runbookId === undefined) return stop('people', 'rule', alert ?? 'its rule runs nothing');
  const loaded = deps.runner.held(runbookId);
  const unusable = whyNotUsable(rule, new Map(loaded === null ? [] : [[runbookId, loaded.runbook]]));
  if (loaded === null || unusable !== null) return stop('people', 'validation', unusable ?? 'its runbook is not here');
  const away = deps.runner.whyNotNow(loaded, targetId);
  if (away !== null) return stop('wait', 'target', away);
  const { id, version } = loaded.runbook;
  return {
    rule,
    loaded,
    request: {
      subject: { targetId, checkId, condition, runbookId },
      runbook: { id, version, sha256: loaded.sha256 },
      severity: incident.severity,
      roles: { declared: roleWord(finding.target.role), detected: null },
      units: unitsOf(loaded.runbook),
      authority: { by: 'rule', id: rule.file.id, sha256: rule.sha256, baselineSha256: deps.baselineSha256() },
      limits: rule.limits,
    },
  };
}

/** The grant that the guard `authority` goes by. */
const grantOf = ({ content }: HealingFacts, { rule, loaded }: Plan): string =>
  content?.grants.find(
    (g) => g.rule.id === rule.file.id && g.rule.sha256 === rule.sha256 && g.runbook.sha256 === loaded.sha256,
  )?.grant_id ?? 'none';

const isOpen = ({ state }: Incident): boolean => state === 'seen' || state === 'waiting';

const isPlan = (plan: Plan | HealingVerdict): plan is Plan => 'rule' in plan;

/** Keeps what the guards said; where that is news, in an entry of its own. */
function judged(deps: HealDeps, id: string, verdict: HealingVerdict, runbook: string | null, at: number): void {
  const { store } = deps;
  store.unit(() => {
    const before = current(deps, id);
    if (!isOpen(before)) return;
    const { sentence } = sayOf(verdict, runbook);
    const isSilent =
      verdict.verdict === 'act' ||
      (verdict.verdict === 'wait' && before.state === 'waiting' && before.held?.guard === verdict.guard);
    // The entry says what comes of it, so the step is tried first and made with the entry's seq.
    const seq = isSilent ? undefined : deps.record(preview(before, verdict), sentence);
    recordStep(store, id, { event: 'judged', at, verdict, runbook, ...(seq === undefined ? {} : { seq }) });
  });
}

const preview = (incident: Incident, verdict: HealingVerdict): Incident => ({
  ...incident,
  state: verdict.verdict === 'wait' ? 'waiting' : 'ticketed',
  nextStepAt: 'until' in verdict ? verdict.until : null,
});

const sayOf = (verdict: HealingVerdict, runbook: string | null): { sentence: string } => {
  if (verdict.verdict === 'dry_run') return { sentence: `dry run: ${runbook ?? 'nothing'} would have been run` };
  if (verdict.verdict === 'act') return { sentence: '' };
  return { sentence: `the guard ${verdict.guard}: ${verdict.sentence}` };
};

const current = ({ store }: Pick<HealDeps, 'store'>, id: string): Incident => {
  const row = store.incidents.get(id);
  if (row === null) throw new AgentError('incident_unknown', `there is no incident ${id}`);
  return incidentOf(row);
};

const NO_RULE = 'no rule says what is done about this';

/** What people are told of drift that no rule fits, with what a planner makes of it. */
async function withProposal(
  verdict: HealingVerdict,
  incident: Incident,
  { propose, finding }: HealDeps,
  signal: AbortSignal,
): Promise<HealingVerdict> {
  const seen = finding(incident.targetId, incident.checkId);
  if (propose === undefined || seen === null || !('sentence' in verdict) || verdict.sentence !== NO_RULE)
    return verdict;
  let said: string | null;
  try {
    said = await propose(incident, seen, signal);
  } catch (error) {
    signal.throwIfAborted();
    const code = isAgentError(error) ? error.code : 'internal';
    if (code.startsWith('store_')) throw error;
    // A key that cannot be read, or a defect: people hear of the drift all the same.
    said = `no language model could be asked: ${CODES[code].when}`;
  }
  return said === null ? verdict : { ...verdict, guard: 'planner', sentence: `${NO_RULE}; ${said}` };
}

/** What came of one incident: `judged` where nothing was run, `not_yet` where it could not be judged at this moment. */
export type Healed = 'not_yet' | 'judged' | 'ran';

/** Judges one incident that is `seen` or `waiting`, and acts where nothing has anything against it. */
export async function healIncident(incident: Incident, deps: HealDeps, signal: AbortSignal): Promise<Healed> {
  const now = deps.now();
  if (now === null) return 'not_yet';
  const plan = planOf(incident, deps, now);
  if (plan === null) return 'not_yet';
  if (!isPlan(plan)) {
    judged(deps, incident.id, await withProposal(plan, incident, deps, signal), null, now);
    return 'judged';
  }
  const facts = deps.facts(incident);
  const verdict = judgeHealing(plan.request, facts);
  const runbookId = plan.loaded.runbook.id;
  if (verdict.verdict !== 'act' && verdict.verdict !== 'dry_run') {
    judged(deps, incident.id, verdict, runbookId, now);
    return 'judged';
  }
  judged(deps, incident.id, { verdict: 'act' }, runbookId, now);
  const watch = watchOf(incident.id, plan, deps);
  const dryRun = verdict.verdict === 'dry_run';
  const run: HealingRun = {
    loaded: plan.loaded,
    targetId: incident.targetId,
    params: { ...defaultParams(plan.loaded.runbook), ...plan.rule.file.params },
    ...{ dryRun, link: { incident_id: incident.id }, watch },
    rule: { id: plan.rule.file.id, sha256: plan.rule.sha256 },
  };
  try {
    const result = await deps.runner.run(run, signal);
    afterRun(incident.id, result, { ...deps, runbookId, dryRun, begun: watch.begun() });
  } catch (error) {
    // Nothing was begun: what was judged is no longer so, and it is judged again.
    if (!isAgentError(error) || error.code !== 'incident_overtaken') throw error;
  }
  return 'ran';
}

/**
 * A run may wait an hour for its target and minutes for its look: a pause, a grant that was taken back or another run since then counts.
 *
 * @throws incident_overtaken
 */
function assertStillActs({ request }: Plan, facts: HealingFacts, deps: HealDeps): void {
  const authority = { ...request.authority, ...{ baselineSha256: deps.baselineSha256() } };
  const verdict = judgeHealing({ ...request, authority }, facts);
  if (verdict.verdict === 'act') return;
  const why = verdict.verdict === 'dry_run' ? 'the mode is dry run' : `${verdict.guard}: ${verdict.sentence}`;
  throw new AgentError('incident_overtaken', `nothing may be changed any more (${why})`);
}

/** Steps the incident along with what its run writes. */
function watchOf(id: string, plan: Plan, deps: HealDeps): RunWatch & { begun(): boolean } {
  const { rule, loaded } = plan;
  const { store } = deps;
  const runbook = loaded.runbook.id;
  let isBegun = false;
  const at = (): number => deps.now() ?? current(deps, id).changedAt;
  const toVerifying = (entry?: number): void =>
    store.unit(() => {
      const before = current(deps, id);
      if (before.state !== 'acting') return;
      const seq =
        entry ?? deps.record({ ...before, state: 'verifying' }, 'the runbook ended; whether it holds is looked at');
      recordStep(store, id, { event: 'changed', at: at(), seq });
    });
  return {
    begun: () => isBegun,
    begins() {
      const before = current(deps, id);
      if (!isOpen(before)) throw new AgentError('incident_overtaken', `the incident is ${before.state} now`);
      const facts = deps.facts(before);
      assertStillActs(plan, facts, deps);
      const sentence = `the rule ${rule.file.id} and the grant ${grantOf(facts, plan)} let ${runbook} be run`;
      deps.record({ ...before, state: 'acting', nextStepAt: null }, sentence);
    },
    looked: () => {
      if (isBegun) toVerifying();
    },
    wrote({ phase, seq, outcome, code, actions }) {
      if (phase === 'intent') {
        recordStep(store, id, { event: 'intent', at: at(), seq, runbook });
        isBegun = true;
        return;
      }
      if (!isBegun) return;
      const step = resultOf(outcome, code);
      if (step === 'healed' || step === null) toVerifying(step === null ? seq : undefined);
      if (step === null) return;
      if (step === 'rollback_failed') blockRunbook(store, runbook);
      recordStep(store, id, { event: 'result', outcome: step, at: at(), seq, changes: actions });
    },
  };
}

/** What a run's result is to its incident; null where it goes on by itself on the target. */
function resultOf(
  outcome: ActionOutcome | undefined,
  code: string | undefined,
): 'healed' | 'reverted' | 'rollback_failed' | 'failed' | null {
  if (outcome === 'success') return 'healed';
  if (outcome === 'deferred') return null;
  if (outcome === 'reverted') return 'reverted';
  return code === ('runbook_rollback_failed' satisfies ErrorCode) ? 'rollback_failed' : 'failed';
}

interface AfterRun extends HealDeps {
  readonly runbookId: string;
  readonly dryRun: boolean;
  /** Whether there was an intent. */
  readonly begun: boolean;
}

/** What a run that changed nothing means: not now, or not by itself. */
function afterRun(id: string, { outcome, code, sentence }: RunResult, o: AfterRun): void {
  const at = o.now() ?? current(o, id).changedAt;
  // Of a code its own words: a result's sentence may repeat what a target printed.
  const why = code === null ? sentence : CODES[code].when;
  const say = (verdict: HealingVerdict): void => judged(o, id, verdict, o.runbookId, at);
  if (o.begun) {
    // Somebody else manages it: another try would be undone again.
    if (outcome === 'alert') say(stop('people', 'runbook', why));
    return;
  }
  if (o.dryRun) return say({ verdict: 'dry_run' });
  if (outcome === 'success') return;
  if (outcome === 'deferred' || outcome === 'failed') return say(stop('wait', 'runbook', why, at + RETRY_S));
  say(stop('people', 'runbook', why));
}
