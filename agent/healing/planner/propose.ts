// A plan in words for the ticket: what a model proposes, tried out where that is allowed. Nothing here changes anything on a target.
import { CODES } from '../../errors/codes.ts';
import type { RunResult } from '../../execution/run-request.ts';
import { defaultParams } from '../../execution/runbook.ts';
import { planHealing } from './plan-healing.ts';
import type { Plan, PlannerDeps, PlannerSubject } from './planner-types.ts';

export interface ProposeDeps extends PlannerDeps {
  /** Runs the plan's runbook as a dry run; null where its target cannot be reached for one now. */
  readonly tryOut: (plan: Plan, signal: AbortSignal) => Promise<RunResult | null>;
}

const MAX_SHOWN_PARAMS = 4;

/** The params that are not the runbook's own defaults, as clauses; numbers, truth values and words of its choices. */
function chosen(plan: Plan, { runbooks }: PlannerDeps): string {
  const loaded = runbooks.find(({ sha256 }) => sha256 === plan.runbook.sha256);
  const defaults = loaded === undefined ? {} : defaultParams(loaded.runbook);
  const others = Object.entries(plan.params).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(defaults[key]),
  );
  if (others.length === 0) return '';
  const shown = others.slice(0, MAX_SHOWN_PARAMS).map(([key, value]) => `${key} ${String(value)}`);
  const more = others.length > shown.length ? ` and ${others.length - shown.length} more` : '';
  return ` with ${shown.join(', ')}${more}`;
}

/** Of a code its own words: a result's sentence may repeat what a target printed. */
function triedOut(result: RunResult | null): string {
  if (result === null) return 'not tried out: its target cannot be reached now';
  if (result.outcome === 'dry_run') return `a dry run would change ${result.changes} things`;
  return `a dry run ended as ${result.outcome}${result.code === null ? '' : `: ${CODES[result.code].when}`}`;
}

/** One clause for the ticket, or null where there is nothing to propose: people then read what they would have read without it. */
export async function proposeHealing(
  subject: PlannerSubject,
  deps: ProposeDeps,
  signal: AbortSignal,
): Promise<string | null> {
  const result = await planHealing(subject, deps, signal);
  if (result.kind === 'people') {
    return result.asked ? `a language model was asked in vain: ${CODES[result.code].when}` : null;
  }
  const { plan, authority } = result;
  const what = `a language model proposes ${plan.runbook.id}${chosen(plan, deps)}`;
  if (authority === 'suggest') return `${what}; not tried out: healing of it is switched off`;
  return `${what}; ${triedOut(await deps.tryOut(plan, signal))}`;
}
