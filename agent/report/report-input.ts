// What a report is made from.
import type { LogVerdict } from '../verify/log-verifier.ts';
import type { Period, ReportModel } from './report-model.ts';

/** Names for people, beside the ids that the evidence holds. */
export interface ReportNames {
  /** Check id → what it looks at. */
  readonly checks: ReadonlyMap<string, string>;
  /** `<map> <cite>` → title of the requirement. */
  readonly requirements: ReadonlyMap<string, string>;
}

export interface ReportLog {
  readonly model: ReportModel;
  readonly verdict: LogVerdict;
  /** Entries that the newest receipt says are stored. */
  readonly stored: number;
}

export interface ReportInput {
  /** Oldest epoch first. */
  readonly logs: readonly ReportLog[];
  readonly period: Period;
  readonly names: ReportNames;
  readonly rootSha256: string;
  readonly agentVersion: string;
}
