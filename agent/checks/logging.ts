// Does what happens on this machine reach its log, and does it stay there?
import type { CanaryFacts, LoggingFacts } from '../facts/logging.ts';
import type { LoggingBaseline } from './baseline-logging.ts';
import { conclude, declaredOr, judged, measured, readOr } from './check.ts';
import type { Check, Problem } from './check.ts';
import { stabilityOf, type Stability } from './stability.ts';

const MINUTE_S = 60;
/** A clock that was set back a little is no reason to doubt a canary. */
const FUTURE_S = 300;

/** ActiveState of a unit as evidence may name it. */
const UNIT_STATES = new Set([
  'active',
  'inactive',
  'failed',
  'activating',
  'deactivating',
  'reloading',
  'not-found',
  'masked',
]);
const stateName = (state: string): string => (UNIT_STATES.has(state) ? state.replace('-', '_') : 'other');

function serviceProblems(read: LoggingFacts, declared: LoggingBaseline): Problem[] {
  const problems: Problem[] = [];
  if (read.journald !== 'active' && read.journald !== 'reloading') {
    problems.push({
      sentence: `journald is ${stateName(read.journald)}`,
      remedy: 'start systemd-journald.service, and read its status',
      severity: 'critical',
    });
  }
  if (read.storage === 'none') {
    problems.push({
      sentence: 'the journal keeps nothing',
      remedy: 'let journald store what it gets, in its configuration below /etc/systemd',
      severity: 'critical',
    });
  }
  if (read.storage === 'volatile' && declared.persistent_required) {
    problems.push({
      sentence: 'the journal is in memory and lost at a restart',
      remedy: 'let journald store on disk, and check that /var/log/journal can be written',
      severity: 'medium',
    });
  }
  if (declared.forwarder !== 'none' && read.forwarder !== 'active') {
    problems.push({
      sentence: `the forwarder of the log is ${stateName(read.forwarder ?? 'other')}`,
      remedy: 'start the declared forwarder, and read its status',
      severity: 'high',
    });
  }
  return problems;
}

function stabilityProblems(read: LoggingFacts, state: Stability): Problem[] {
  if (state !== 'flapping') return [];
  const sentence = `the forwarder of the log does not stay up: systemd started it again ${read.forwarderRestarts?.count} times`;
  return [{ sentence, remedy: 'find out in its log why it ends', severity: 'high' }];
}

function contentProblems(read: LoggingFacts, declared: LoggingBaseline): Problem[] {
  const problems: Problem[] = [];
  if (read.suppressed > declared.suppressed_messages) {
    problems.push({
      sentence: `journald dropped ${read.suppressed} messages in 24 hours (limit ${declared.suppressed_messages})`,
      remedy: 'find the service that floods the log and quieten it, or raise its rate limit',
      severity: 'medium',
    });
  }
  if (read.usedMib > declared.journal_mib) {
    problems.push({
      sentence: `the journal takes ${read.usedMib} MiB (limit ${declared.journal_mib} MiB)`,
      remedy: 'give journald a limit of room, in its configuration below /etc/systemd',
      severity: 'low',
    });
  }
  return problems;
}

function canaryProblems(canary: CanaryFacts, declared: LoggingBaseline): Problem[] {
  const problems: Problem[] = [];
  if (canary.outcome === 'not_seen' || canary.outcome === 'not_written') {
    problems.push({
      sentence:
        canary.outcome === 'not_seen'
          ? 'the canary was written to the log and could not be read back'
          : 'the canary could not be written to the log',
      remedy: 'read the status of systemd-journald.service, and verify the journal with journalctl',
      severity: 'critical',
    });
  }
  if (canary.missing > declared.canaries_missing) {
    problems.push({
      sentence: `${canary.missing} of ${canary.expected} canaries of the last 24 hours are missing from the log`,
      remedy: 'find out when the log was stopped, cleared or rotated away, and give it room for more than a day',
      severity: 'high',
    });
  }
  return problems;
}

type CanaryState = 'seen' | 'not_seen' | 'not_written' | 'not_known' | 'stale' | 'none';

function canaryState(canary: CanaryFacts | null, declared: LoggingBaseline, now: number): CanaryState {
  if (canary === null) return 'none';
  const ageS = now - canary.at;
  return ageS > declared.canary_minutes * MINUTE_S || ageS < -FUTURE_S ? 'stale' : canary.outcome;
}

const CANARY_UNKNOWNS: Readonly<Partial<Record<CanaryState, string>>> = {
  none: 'no canary has been written to the log yet',
  stale: 'the last canary is too old to say anything',
  not_known: 'the log could not be searched for the canary',
};

export const loggingCheck: Check = {
  id: 'logging',
  version: 1,
  title: 'What happens here reaches the log and stays there',
  cadenceS: 600,
  probes: ['logging'],
  factKeys: {
    journald: judged('name'),
    storage: judged('name'),
    forwarder: judged('name'),
    forwarder_stability: judged('name'),
    forwarder_restarts: measured('integer'),
    canary: judged('name'),
    canary_age_min: measured('integer'),
    canary_latency_ms: measured('integer'),
    gaps: judged('name'),
    canaries_expected: measured('integer'),
    canaries_missing: measured('integer'),
    suppressed: judged('name'),
    suppressed_messages: measured('integer'),
    room: judged('name'),
    journal_mib: measured('integer'),
  },
  judge({ facts, baseline, now }) {
    const baselineOr = declaredOr(baseline, 'logging');
    if ('judgement' in baselineOr) return baselineOr.judgement;
    const { declared } = baselineOr;
    const readOrNot = readOr(facts, 'logging', 'the state of the log');
    if ('judgement' in readOrNot) return readOrNot.judgement;
    const read = readOrNot.value;
    const stability =
      declared.forwarder === 'none'
        ? 'not_expected'
        : stabilityOf(read.forwarderRestarts, read.forwarder === 'active', declared.stability, now);
    const state = canaryState(read.canary, declared, now);
    // A canary that is too old is not judged at all: what it says may long be over.
    const canary = state === 'none' || state === 'stale' || state === 'not_known' ? null : read.canary;
    const unknown = CANARY_UNKNOWNS[state];
    const forwarded = declared.forwarder === 'none' ? '' : ', its forwarder runs';
    return conclude({
      problems: [
        ...serviceProblems(read, declared),
        ...stabilityProblems(read, stability),
        ...(canary === null ? [] : canaryProblems(canary, declared)),
        ...contentProblems(read, declared),
      ],
      unknowns: unknown === undefined ? [] : [unknown],
      passSentence: `a canary was read back from the log after ${canary?.latencyMs} ms, ${canary?.missing} of ${canary?.expected} earlier ones are missing, journald is active and ${read.storage}${forwarded}, and it dropped ${read.suppressed} messages in 24 hours`,
      facts: {
        journald: stateName(read.journald),
        storage: read.storage,
        forwarder: declared.forwarder === 'none' ? 'none' : stateName(read.forwarder ?? 'other'),
        forwarder_stability: stability,
        forwarder_restarts: read.forwarderRestarts?.count ?? null,
        canary: state,
        canary_age_min: read.canary === null ? null : Math.max(0, Math.floor((now - read.canary.at) / MINUTE_S)),
        canary_latency_ms: canary?.latencyMs ?? null,
        gaps: canary === null ? 'not_known' : canary.missing > declared.canaries_missing ? 'beyond' : 'within',
        canaries_expected: canary?.expected ?? null,
        canaries_missing: canary?.missing ?? null,
        suppressed: read.suppressed > declared.suppressed_messages ? 'beyond' : 'within',
        suppressed_messages: read.suppressed,
        room: read.usedMib > declared.journal_mib ? 'beyond' : 'within',
        journal_mib: read.usedMib,
      },
    });
  },
};
