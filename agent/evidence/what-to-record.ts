// What is worth an entry: a change at once, "unchanged" once an hour per target, a digest and the scope once a day. Pure.
import type { FindingState } from '../store/open-store.ts';
import type { EntryBody } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { CheckResult } from '../wire/schemas/primitives.ts';

export const HEARTBEAT_INTERVAL_S = 3_600;
export const DIGEST_INTERVAL_S = 86_400;
export const SCOPE_INTERVAL_S = 86_400;
/** While room is short, what was left out is signed for so often. */
export const GAP_INTERVAL_S = 86_400;

/** Checks in one heartbeat entry (its schema's limit). */
const MAX_UNCHANGED = 64;
/** Results in one digest entry: 150 of the longest stay below the entry limit; more make further entries. */
const MAX_RESULTS = 150;

export type Expected = EntryBody<'scope'>['expected'][number];

/**
 * True when `intervalS` has passed since `last`, or the wall clock stepped back by at least that much: a clock that jumps
 * back can neither silence what is written regularly nor, as `last` is then set anew, make it write for ever.
 */
export function due(last: number, now: number, intervalS: number): boolean {
  return Math.abs(now - last) >= intervalS;
}

/** True when the finding says something that its last entry does not: result, facts, baseline, waiver or severity. */
export function isStateChange(finding: Finding, state: FindingState | null): boolean {
  return (
    state === null ||
    state.result !== finding.result ||
    state.factsDigest !== finding.facts_digest ||
    state.baselineSha256 !== finding.baseline.sha256 ||
    state.waiverId !== (finding.waiver_id ?? null) ||
    state.severity !== finding.severity
  );
}

/** The state after a finding that was recorded as entry `seq`. */
export function changedState(finding: Finding, seq: number, recordedDigest: string, now: number): FindingState {
  return {
    targetId: finding.target.id,
    checkId: finding.check.id,
    result: finding.result,
    factsDigest: finding.facts_digest,
    recordedDigest,
    sinceSeq: seq,
    baselineSha256: finding.baseline.sha256,
    waiverId: finding.waiver_id ?? null,
    severity: finding.severity,
    sentence: finding.sentence,
    lastReadAt: finding.facts_read_at,
    runs: 1,
    runsSinceHeartbeat: 0,
    lastHeartbeatAt: now,
  };
}

/** The state after a finding that said nothing new. */
export function unchangedState(finding: Finding, state: FindingState): FindingState {
  return {
    ...state,
    sentence: finding.sentence,
    lastReadAt: finding.facts_read_at,
    runs: state.runs + 1,
    runsSinceHeartbeat: state.runsSinceHeartbeat + 1,
  };
}

export interface Heartbeat {
  readonly targetId: string;
  readonly states: readonly FindingState[];
}

/**
 * The heartbeats to write now. A target's is due when one of its checks that ran since has waited for the interval; it
 * then lists every check that ran since its last one. A check that did not run is not listed: its absence shows.
 */
export function heartbeatsDue(states: readonly FindingState[], now: number, intervalS: number): Heartbeat[] {
  const ran = states.filter((state) => state.runsSinceHeartbeat > 0);
  const dueTargets = new Set(ran.filter((s) => due(s.lastHeartbeatAt, now, intervalS)).map((s) => s.targetId));
  return [...dueTargets].flatMap((targetId) =>
    chunks(
      ran.filter((state) => state.targetId === targetId),
      MAX_UNCHANGED,
    ).map((part) => ({ targetId, states: part })),
  );
}

/** Heartbeats of these checks that were left out since `since`, when one is written at `now`. */
export function heartbeatsMissed(
  states: readonly FindingState[],
  since: number,
  now: number,
  intervalS: number,
): number {
  const last = Math.max(since - intervalS, ...states.map((state) => state.lastHeartbeatAt));
  return Math.max(0, Math.floor((now - last) / intervalS) - 1);
}

export function unchangedOf(states: readonly FindingState[]): EntryBody<'heartbeat'>['unchanged'] {
  return states.map((state) => ({
    check: state.checkId,
    result: state.result as CheckResult,
    since_seq: state.sinceSeq,
    facts_digest: state.recordedDigest,
    last_read_at: state.lastReadAt,
    runs: state.runs,
  }));
}

/** The bodies of a day's digest over the entries before `toSeq`; usually one. */
export function digestBodies(
  range: Pick<EntryBody<'digest'>, 'from_seq' | 'to_seq' | 'root' | 'counts'>,
  states: readonly FindingState[],
): EntryBody<'digest'>[] {
  const results = states.map((state) => ({
    target: state.targetId,
    check: state.checkId,
    result: state.result as CheckResult,
    since_seq: state.sinceSeq,
    runs: state.runs,
  }));
  const parts = chunks(results, MAX_RESULTS);
  return (parts.length === 0 ? [[]] : parts).map((part) => ({ ...range, results: part }));
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
