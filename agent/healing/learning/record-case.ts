// Keeps what learning counts. Each case in one unit of work with the entry that says that a pattern has earned a rule.
import type { EvidenceLog } from '../../evidence/log.ts';
import type { CaseRow, Store } from '../../store/open-store.ts';
import { jcs } from '../../wire/jcs.ts';
import { decisionOn } from './decisions.ts';
import type { Pattern } from './pattern.ts';
import { countsAs, judgeCandidate, statisticsOf, type RunOutcome } from './statistics.ts';

/** Cases stay this long. */
export const KEEP_CASES_S = 400 * 86_400;

export interface LearningDeps {
  readonly store: Pick<Store, 'unit' | 'learning' | 'settings'>;
  readonly evidence: Pick<EvidenceLog, 'append'>;
}

interface Seen {
  readonly pattern: Pattern;
  readonly incidentId: string;
  /** Unix seconds of signed time. */
  readonly at: number;
}

/** Drift that began, or came back: `time` is 0 for the first time of its incident, 1 for its first recurrence, and so on. */
export type Occurrence = Seen & { readonly time: number };

export interface Resolution extends Seen {
  /** Of the journal. */
  readonly runId: string;
  /** `l2`: a plan named this runbook with these params, and a person's order carried it out. */
  readonly tier: 'l1' | 'l2';
  readonly runbook: { readonly id: string; readonly sha256: string };
  readonly params: Readonly<Record<string, unknown>>;
  readonly result: RunOutcome;
  /** From the first change to the end of the verification. */
  readonly durationMs: number | null;
}

const NOTHING = { tier: null, runbookId: null, runbookSha256: null, params: null, verified: null, durationMs: null };

/** Counts drift once, however often it is told. */
export function recordOccurrence(deps: LearningDeps, { pattern, incidentId, at, time }: Occurrence): void {
  const caseKey = `seen/${incidentId}/${time}`;
  add(deps, pattern, { caseKey, patternSha256: pattern.sha256, kind: 'occurrence', incidentId, ...NOTHING, at });
}

/** Counts a run of a runbook once, and only where it says something about the runbook. Returns whether it was counted. */
export function recordResolution(deps: LearningDeps, o: Resolution): boolean {
  const verified = countsAs(o.result);
  if (verified === null) return false;
  add(deps, o.pattern, {
    caseKey: `run/${o.runId}`,
    patternSha256: o.pattern.sha256,
    kind: 'resolution',
    incidentId: o.incidentId,
    tier: o.tier,
    runbookId: o.runbook.id,
    runbookSha256: o.runbook.sha256,
    params: jcs(o.params),
    verified: verified ? 1 : 0,
    durationMs: o.durationMs,
    at: o.at,
  });
  return true;
}

function add(deps: LearningDeps, pattern: Pattern, one: CaseRow): void {
  const { learning } = deps.store;
  const { sha256, platform, check, role, facts } = pattern;
  const judged = () => {
    const statistics = statisticsOf(learning.cases(sha256));
    return { statistics, verdict: judgeCandidate(statistics) };
  };
  deps.store.unit(() => {
    const before = judged();
    const row = { patternSha256: sha256, platform, checkId: check, shape: JSON.stringify({ role, facts }) };
    learning.add({ ...row, firstAt: one.at }, one);
    const { statistics, verdict } = judged();
    if (!verdict.candidate || before.verdict.candidate || decisionOn(deps.store, sha256)?.state === 'rejected') return;
    const { tried, verified, l2Verified, meanMs } = verdict.remedy;
    deps.evidence.append('learning', {
      pattern_sha256: sha256,
      state: 'candidate',
      statistics: {
        occurrences: statistics.occurrences,
        tried,
        verified,
        l2_verified: l2Verified,
        mean_ms: meanMs ?? 0,
      },
    });
  });
}

/** What is too old to say anything about now goes. */
export function forgetCases(deps: { readonly store: Pick<Store, 'learning'> }, now: number): void {
  deps.store.learning.forget(now - KEEP_CASES_S);
}
