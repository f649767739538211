// One runbook on the appliance itself: what must hold before anything is looked at, then the steps.
import { judgeListing } from '../judge-run.ts';
import { ended, type RunResult } from '../run-request.ts';
import { APPLIANCE, type ApplianceDeps, type ApplianceRequest } from './appliance-run.ts';
import { ApplianceSteps } from './appliance-steps.ts';

/**
 * Runs it. Everything that checks and helpers do is a {@link RunResult}; the store's errors and the signal's reason are thrown. A
 * run that was cut short after its intent is `interrupted` in the journal and gets its end from a later look.
 */
export async function runApplianceRunbook(
  request: ApplianceRequest,
  deps: ApplianceDeps,
  signal: AbortSignal,
): Promise<RunResult> {
  const { listedClass } = deps.circumstances(request.loaded);
  const unlisted = judgeListing({ runbook: request.loaded.runbook, listedClass });
  if (unlisted !== null) return ended(unlisted.outcome, unlisted.code, unlisted.sentence);
  const release = await deps.locks.hold(APPLIANCE, signal);
  try {
    const run = new ApplianceSteps(request, deps, signal);
    if (request.action === 'detect') return await run.detectOnly();
    if (request.action === 'rollback') return run.orderedRollback();
    if (request.dryRun) return await run.remediate();
    const changed = deps.locks.tryChange();
    if (changed === null) return ended('deferred', 'target_busy', 'another change is under way at this site');
    try {
      return await run.remediate();
    } finally {
      changed();
    }
  } finally {
    release();
  }
}
