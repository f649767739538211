// Reads whether this machine logs: journald, what it keeps and what it dropped, a forwarder, and the last canary.
import { readJobResult, type JobResult } from './job-result.ts';
import { readJournalFiles, type JournalFiles } from './journal-files.ts';
import { queryJournal, type JournalEntry } from './journal-query.ts';
import { Unreadable, type Probe, type ProbeContext } from './probe.ts';
import { readRestarts, readUnit, type Restarts } from './systemd-unit.ts';

/** The last run of the job `logging-canary`. */
export interface CanaryFacts {
  /** Unix seconds. */
  readonly at: number;
  readonly outcome: 'seen' | 'not_seen' | 'not_written' | 'not_known';
  /** From writing to reading back; null where it was not seen. */
  readonly latencyMs: number | null;
  /** Canaries of the last 24 hours that the journal should still hold. */
  readonly expected: number;
  /** Of these, the ones that it does not: they were lost or never taken. */
  readonly missing: number;
}

export interface LoggingFacts extends JournalFiles {
  /** ActiveState of systemd-journald.service. */
  readonly journald: string;
  /** ActiveState of the declared forwarder (`not-found` where it is not installed); null where none is declared. */
  readonly forwarder: string | null;
  /** Of the forwarder; null where none is declared, or systemd does not say. */
  readonly forwarderRestarts: Restarts | null;
  /** Messages of the last 24 hours that journald did not take, as it says itself (rate limits, overrun kernel buffer). */
  readonly suppressed: number;
  /** Null before the first canary. */
  readonly canary: CanaryFacts | null;
}

const DAY_S = 86_400;
/** sd-messages.h: SD_MESSAGE_JOURNAL_DROPPED, SD_MESSAGE_JOURNAL_MISSED. */
const DROPPED = ['a596d6fe7bfa4994828e72309e95d61e', 'e9bf28e6e834481bb6f48f548ad13606'] as const;
/** More such reports within a day than this are not counted any further; each stands for at least one message. */
const MAX_REPORTS = 5_000;

/** Pure: sum of what journald says that it dropped. An older journald says it in the text only: then each counts as one. */
export function countSuppressed(reports: readonly JournalEntry[]): number {
  return reports.reduce((sum, report) => {
    const dropped = Number(report['N_DROPPED']);
    return sum + (Number.isSafeInteger(dropped) && dropped > 0 ? dropped : 1);
  }, 0);
}

async function readSuppressed(context: ProbeContext): Promise<number> {
  const since = Math.floor(context.clock.wallMs() / 1000) - DAY_S;
  // Anybody may log these message ids; only journald's own messages have its transport.
  const matches = [`--since=@${since}`, '_TRANSPORT=driver', ...DROPPED.map((id) => `MESSAGE_ID=${id}`)];
  return countSuppressed(await queryJournal(context, ['MESSAGE_ID', 'N_DROPPED'], MAX_REPORTS, matches));
}

/** Pure. */
export function canaryFacts(result: JobResult | null): CanaryFacts | null {
  if (result === null) return null;
  const { outcome, reason, finished_at, counts } = result.last;
  const seen =
    outcome === 'proven'
      ? 'seen'
      : outcome === 'inconclusive'
        ? 'not_known'
        : reason === 'not_written'
          ? reason
          : 'not_seen';
  return {
    at: finished_at,
    outcome: seen,
    latencyMs: outcome === 'proven' ? (counts['latency_ms'] ?? null) : null,
    expected: counts['expected'] ?? 0,
    missing: counts['missing'] ?? 0,
  };
}

async function activeState(context: ProbeContext, unit: string): Promise<string> {
  const state = await readUnit(context, unit);
  return state.loadState === 'loaded' ? state.activeState : state.loadState;
}

export const loggingProbe: Probe<LoggingFacts> = {
  name: 'logging',
  async read(context) {
    if (context.watch?.logging === undefined) throw new Unreadable('not_declared', 'the baseline declares no logging');
    const { forwarder } = context.watch.logging;
    const files = readJournalFiles(context.rootDir ?? '/', context.runDir ?? '/run');
    const [journald, forwarderState, forwarderRestarts, suppressed] = await Promise.all([
      activeState(context, 'systemd-journald.service'),
      forwarder === null ? null : activeState(context, forwarder),
      forwarder === null ? null : readRestarts(context, forwarder),
      files.storage === 'none' ? 0 : readSuppressed(context),
    ]);
    const canary = canaryFacts(readJobResult(context.stateDir, 'logging-canary'));
    return { ...files, journald, forwarder: forwarderState, forwarderRestarts, suppressed, canary };
  },
};
