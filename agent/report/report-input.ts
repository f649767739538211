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

interface Titled {
  readonly id: string;
  readonly title: string;
}

/** From the list of checks and the control maps. */
export const reportNames = (
  checks: readonly Titled[],
  controls: readonly {
    readonly id: string;
    readonly lines: readonly { readonly cite: string; readonly title: string }[];
  }[],
): ReportNames => ({
  checks: new Map(checks.map((check) => [check.id, check.title])),
  requirements: new Map(controls.flatMap((map) => map.lines.map((line) => [`${map.id} ${line.cite}`, line.title]))),
});

export interface ReportLog {
  readonly model: ReportModel;
  readonly verdict: LogVerdict;
  /** Entries that the newest receipt says are stored. */
  readonly stored: number;
  /** Entries that are in the log and whose lines are not in the bundle: their hashes stand for them. */
  readonly leftOut: number;
}

export interface ReportInput {
  /** Oldest epoch first. */
  readonly logs: readonly ReportLog[];
  readonly period: Period;
  readonly names: ReportNames;
  readonly rootSha256: string;
  readonly agentVersion: string;
}
