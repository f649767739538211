// Which facts a run of checks needs. Reading costs the machine something (apt's simulation of an upgrade: seconds of CPU), so nothing is read that nobody judges.
import type { ProbeName } from '../facts/probes.ts';
import type { LoadedBaseline } from './baseline.ts';
import { declaredOr, type Check } from './check.ts';

/**
 * The probes of those checks that the baseline declares something for, each once. A check that it expects nothing of, or says nothing
 * about, is judged by that alone ({@link declaredOr}). Pure.
 */
export function neededProbes(checks: readonly Check[], baseline: LoadedBaseline): ProbeName[] {
  const judging = checks.filter((check) => 'declared' in declaredOr(baseline, check.id));
  return [...new Set(judging.flatMap((check) => check.probes))];
}
