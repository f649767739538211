// Drift and runs to learn from. For tests only.
import { patternOf, type Pattern } from '../../agent/healing/learning/pattern.ts';
import {
  recordOccurrence,
  recordResolution,
  type LearningDeps,
  type Resolution,
} from '../../agent/healing/learning/record-case.ts';
import { AV, subject } from './planner-fixtures.ts';
import { NOW, uuidOf } from './trust-fixtures.ts';

export const pattern: Pattern = patternOf('windows', subject().finding)!;

export const resolution = (n: number, more: Partial<Resolution> = {}): Resolution => ({
  pattern,
  incidentId: uuidOf(n),
  at: NOW + n,
  runId: uuidOf(1_000 + n),
  tier: 'l2',
  runbook: { id: AV.runbook.id, sha256: AV.sha256 },
  params: { max_signature_days: 5 },
  result: { outcome: 'success', code: null },
  durationMs: 12_000,
  ...more,
});

/** Drift that was seen so often, … */
export function seen(deps: LearningDeps, times: number): void {
  for (let n = 0; n < times; n++) recordOccurrence(deps, { pattern, incidentId: uuidOf(n), at: NOW + n, time: 0 });
}

/** … and healed so often by one plan. */
export function healed(deps: LearningDeps, times: number, more: Partial<Resolution> = {}, from = 0): void {
  for (let n = from; n < from + times; n++) recordResolution(deps, resolution(n, more));
}
