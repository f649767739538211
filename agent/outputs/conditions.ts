// Which conditions there are, from the state that the evidence keeps: failing findings, and alerts that are raised. Pure.
import { CODES, type ErrorCode } from '../errors/codes.ts';
import type { Severity } from '../wire/schemas/primitives.ts';
import type { Observed } from './ticket-book.ts';
import type { Condition } from './ticket.ts';

/** The latest finding of one check on one target. */
export interface FindingView {
  readonly target: string;
  readonly check: string;
  readonly title: string;
  readonly result: string;
  readonly severity: string;
  readonly sentence: string;
  readonly remedy: string | null;
  readonly controls: readonly string[];
  /** Entry that recorded this state. */
  readonly entry: number;
  /** What healing did about it. Absent: nothing. */
  readonly healing?: {
    /** Healing goes on by itself: people need not be told yet. */
    readonly inHand: boolean;
    readonly tried: readonly string[];
    /** Entries of what was tried. */
    readonly entries: readonly number[];
  };
}

export interface AlertView {
  readonly code: ErrorCode;
  readonly severity: Severity;
  /** Null: it is about the appliance. */
  readonly target: string | null;
  /** What was seen; absent: what the code means. */
  readonly seen?: string;
}

/**
 * Drift that healing has in hand is no new condition yet, and one that people know of stays as it is meanwhile.
 * Only a finding that says so takes a condition away: one that is unknown, or not there, decides nothing.
 *
 * @param known keys of the tickets that are open
 */
export function observe(
  findings: readonly FindingView[],
  alerts: readonly AlertView[],
  known: readonly string[],
): Observed {
  const failing = findings.filter(({ result, healing }) => result === 'fail' && healing?.inHand !== true);
  const over = new Set(
    findings.filter(({ result }) => result !== 'fail' && result !== 'unknown').map((finding) => keyOf(finding)),
  );
  return {
    active: [...failing.map(ofFinding), ...alerts.map(ofAlert)],
    undecided: new Set(known.filter((key) => key.startsWith('finding/') && !over.has(key))),
  };
}

const keyOf = ({ target, check }: Pick<FindingView, 'target' | 'check'>): string => `finding/${target}/${check}`;

function ofFinding(finding: FindingView): Condition {
  return {
    key: keyOf(finding),
    target: finding.target,
    title: `${finding.title} (${finding.check})`,
    severity: finding.severity as Severity,
    seen: finding.sentence,
    nextStep: finding.remedy ?? `look at it with compliance-agent check ${finding.check}`,
    controls: finding.controls,
    entries: [...new Set([finding.entry, ...(finding.healing?.entries ?? [])])],
    tried: finding.healing?.tried ?? [],
  };
}

function ofAlert({ code, severity, target, seen = CODES[code].when }: AlertView): Condition {
  return {
    key: target === null ? `alert/${code}` : `alert/${code}/${target}`,
    target: target ?? 'appliance',
    title: `${CODES[code].when} (${code})`,
    severity,
    seen,
    nextStep: CODES[code].remedy,
    controls: [],
    entries: [],
  };
}
