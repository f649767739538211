// Feeds learning: drift that begins, and runs of runbooks with what came of them. Each is counted in the unit of work of its entry.
import { isAgentError } from '../errors/agent-error.ts';
import type { EvidenceLog } from '../evidence/log.ts';
import type { ApplianceDeps } from '../execution/appliance/appliance-run.ts';
import type { ExecutorDeps } from '../execution/run-request.ts';
import type { BookDeps } from '../healing/incident-book.ts';
import { stepLearnt } from '../healing/learning/learnt-rules.ts';
import { patternOf, type Pattern } from '../healing/learning/pattern.ts';
import { forgetCases, recordOccurrence, recordResolution } from '../healing/learning/record-case.ts';
import { countsAs } from '../healing/learning/statistics.ts';
import { afterBegin, afterRun } from '../healing/learning/trial.ts';
import { timeT } from '../trust/signed-time.ts';
import type { EntryBody } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { DaemonContext } from './context.ts';

type Evidence = Pick<EvidenceLog, 'append'>;

const platformOf = ({ target }: Pick<Finding, 'target'>) => (target.role === 'appliance' ? 'appliance' : 'windows');

/** A defect here must keep nothing from being recorded or healed: it is told, and this once is not counted. */
function safely({ log }: Pick<DaemonContext, 'log'>, count: () => void): void {
  try {
    count();
  } catch (error) {
    if (isAgentError(error) && error.code.startsWith('store_')) throw error;
    log.error('not learnt from', { code: isAgentError(error) ? error.code : 'internal', reason: String(error) });
  }
}

/** Counts drift that began or came back. */
export function learningDrift(context: DaemonContext, evidence: Evidence): NonNullable<BookDeps['began']> {
  const { store } = context;
  return ({ id }, finding, at) =>
    safely(context, () => {
      const pattern = patternOf(platformOf(finding), finding);
      if (pattern === null) return;
      forgetCases({ store }, at);
      recordOccurrence({ store, evidence }, { pattern, incidentId: id, at, time: store.learning.occurrences(id) });
    });
}

export interface LearntRun {
  readonly incidentId: string;
  readonly targetId: string;
  readonly checkId: string;
  readonly tier: 'l1' | 'l2';
  readonly runbook: { readonly id: string; readonly sha256: string };
  readonly params: Readonly<Record<string, unknown>>;
  /** Digest of the rule that starts it; null for an order. */
  readonly ruleSha256: string | null;
}

/** One run while it lasts: what it was for, as it was seen right before the change, and when it was seen in order. */
class Lesson {
  readonly #context: DaemonContext;
  readonly #run: LearntRun;
  readonly #evidence: Evidence;
  #pattern: Pattern | null = null;
  #beganMs: number | null = null;
  #goodMs: number | null = null;

  constructor(context: DaemonContext, run: LearntRun, evidence: Evidence) {
    this.#context = context;
    this.#run = run;
    this.#evidence = evidence;
  }

  readonly append: EvidenceLog['append'] = (kind, body, options) => {
    const written = this.#evidence.append(kind, body, options);
    if (kind === 'action') safely(this.#context, () => this.#wrote(body as EntryBody<'action'>));
    return written;
  };

  saw(finding: Pick<Finding, 'check' | 'target' | 'result'>): void {
    if (this.#beganMs === null || finding.check.id !== this.#run.checkId) return;
    this.#goodMs = finding.result === 'pass' ? (this.#goodMs ?? this.#context.clock.monoMs()) : null;
  }

  #wrote({ phase, outcome, code }: EntryBody<'action'>): void {
    const { clock } = this.#context;
    if (phase === 'intent') {
      this.#begin();
      this.#beganMs = clock.monoMs();
      this.#goodMs = null;
    } else if (this.#beganMs !== null) {
      this.#end({ outcome: outcome ?? '', code: code ?? null }, (this.#goodMs ?? clock.monoMs()) - this.#beganMs);
      this.#beganMs = null;
    }
  }

  #begin(): void {
    const { state, store } = this.#context;
    const { targetId, checkId, ruleSha256 } = this.#run;
    const finding = state.findings.get(`${targetId}/${checkId}`);
    this.#pattern = finding === undefined ? null : patternOf(platformOf(finding), finding);
    if (ruleSha256 !== null) {
      stepLearnt({ store, evidence: this.#evidence }, ruleSha256, (rule) => afterBegin(rule, targetId));
    }
  }

  #end(result: { readonly outcome: string; readonly code: string | null }, durationMs: number): void {
    const { store, clock } = this.#context;
    const { incidentId, tier, runbook, params, ruleSha256 } = this.#run;
    const deps = { store, evidence: this.#evidence };
    const runId = store.runs.lastOfIncident(incidentId)?.runId;
    const at = timeT(store.trust.signedTime(), clock.bootMs(), clock.bootId());
    if (this.#pattern !== null && runId !== undefined && at !== null) {
      const ms = Math.round(durationMs);
      const what = { incidentId, tier, runbook, params, result, at, runId, durationMs: ms };
      recordResolution(deps, { pattern: this.#pattern, ...what });
    }
    const verified = countsAs(result);
    if (ruleSha256 !== null && verified !== null) stepLearnt(deps, ruleSha256, (rule) => afterRun(rule, verified));
  }
}

/** The same, learning from what a run on a Windows target leaves. */
export function learning(deps: ExecutorDeps, context: DaemonContext, run: LearntRun): ExecutorDeps {
  const lesson = new Lesson(context, run, deps.evidence);
  return {
    ...deps,
    evidence: { append: lesson.append },
    recordFindings(findings) {
      deps.recordFindings(findings);
      for (const finding of findings) lesson.saw(finding);
    },
  };
}

/** As {@link learning}, for runs on the appliance itself. */
export function learningAtHome(deps: ApplianceDeps, context: DaemonContext, run: LearntRun): ApplianceDeps {
  const lesson = new Lesson(context, run, deps.evidence);
  return {
    ...deps,
    evidence: { append: lesson.append },
    async look(checkId, signal) {
      const finding = await deps.look(checkId, signal);
      lesson.saw(finding);
      return finding;
    },
  };
}
