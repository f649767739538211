// What counts as having healed drift, and when a pattern is a candidate for a rule. Verified outcomes only. Pure.
import type { CaseRow } from '../../store/open-store.ts';

/** Drift of the pattern that was seen begin. */
export const MIN_OCCURRENCES = 5;
/** Verified heals by a plan of a model, with one and the same runbook and params. */
export const MIN_L2_RESOLUTIONS = 3;
/** Verified heals of all that were tried, in per cent. */
export const MIN_SUCCESS_PERCENT = 90;
/** Mean time from the first change to the verified look. */
export const MAX_MEAN_MS = 30_000;

/** How a run ended, as the executor says. */
export interface RunOutcome {
  readonly outcome: string;
  readonly code: string | null;
}

/**
 * True: healed and verified by a look of its own. False: it was tried and does not hold. Null: it says nothing about the runbook and is
 * not counted. That is a dry run, a run that was cut off, one that did not begin, and whatever people did by hand, which is no run.
 */
export function countsAs({ outcome, code }: RunOutcome): boolean | null {
  if (code !== null && NEVER_COUNTED.has(code)) return null;
  switch (outcome) {
    case 'success':
      return true;
    case 'failed':
    case 'reverted':
      return false;
    default:
      return null;
  }
}

/** A run that was cut off, that found nothing to do, or that never reached its target. */
const NEVER_COUNTED = new Set(['runbook_interrupted', 'target_not_held', 'target_busy']);

/** One runbook with one set of params, tried on a pattern. */
export interface Remedy {
  readonly runbookId: string;
  readonly runbookSha256: string;
  /** Canonical JSON. */
  readonly params: string;
  readonly tried: number;
  readonly verified: number;
  readonly l2Verified: number;
  /** Rounded down; a share that only rounds up to the threshold has not reached it. */
  readonly successPercent: number;
  /** Of the verified ones; null where none was timed. */
  readonly meanMs: number | null;
}

export interface Statistics {
  readonly occurrences: number;
  /** Best first: verified heals, then share, then id. */
  readonly remedies: readonly Remedy[];
}

export function statisticsOf(cases: readonly CaseRow[]): Statistics {
  const groups = new Map<string, CaseRow[]>();
  for (const one of cases) {
    if (one.kind !== 'resolution') continue;
    const key = JSON.stringify([one.runbookSha256, one.params]);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const remedies = [...groups.values()].flatMap((group) => remedyOf(group) ?? []);
  return {
    occurrences: cases.filter(({ kind }) => kind === 'occurrence').length,
    remedies: remedies.toSorted(
      (a, b) =>
        b.verified - a.verified || b.successPercent - a.successPercent || (a.runbookSha256 < b.runbookSha256 ? -1 : 1),
    ),
  };
}

function remedyOf(group: readonly CaseRow[]): Remedy | null {
  const [first] = group;
  if (first?.runbookId == null || first.runbookSha256 === null || first.params === null) return null;
  const verified = group.filter((one) => one.verified === 1);
  const times = verified.flatMap(({ durationMs }) => (durationMs === null ? [] : [durationMs]));
  return {
    runbookId: first.runbookId,
    runbookSha256: first.runbookSha256,
    params: first.params,
    tried: group.length,
    verified: verified.length,
    l2Verified: verified.filter(({ tier }) => tier === 'l2').length,
    successPercent: Math.floor((verified.length * 100) / group.length),
    meanMs: times.length === 0 ? null : Math.round(times.reduce((sum, ms) => sum + ms, 0) / times.length),
  };
}

export type CandidateVerdict =
  | { readonly candidate: true; readonly remedy: Remedy }
  /** What is missing first, as a clause. */
  | { readonly candidate: false; readonly because: string };

const not = (because: string): CandidateVerdict => ({ candidate: false, because });

/** Whether a pattern has earned a rule, and with which runbook. Nothing is made of it here. */
export function judgeCandidate({ occurrences, remedies }: Statistics): CandidateVerdict {
  if (occurrences < MIN_OCCURRENCES) return not(`seen ${occurrences} times, ${MIN_OCCURRENCES} are needed`);
  const verdicts = remedies.map((remedy) => ({ remedy, missing: missingOf(remedy) }));
  const earned = verdicts.find(({ missing }) => missing === null);
  if (earned !== undefined) return { candidate: true, remedy: earned.remedy };
  return not(verdicts[0]?.missing ?? 'nothing has healed it yet');
}

function missingOf({ l2Verified, verified, tried, meanMs }: Remedy): string | null {
  if (l2Verified < MIN_L2_RESOLUTIONS)
    return `${l2Verified} verified heals by a plan, ${MIN_L2_RESOLUTIONS} are needed`;
  if (verified * 100 < MIN_SUCCESS_PERCENT * tried) return `${verified} of ${tried} tries verified, too few`;
  if (meanMs === null) return 'no heal was timed';
  if (meanMs > MAX_MEAN_MS)
    return `it takes ${Math.ceil(meanMs / 1_000)} s on average, ${MAX_MEAN_MS / 1_000} s are allowed`;
  return null;
}
