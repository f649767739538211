// One runbook on one target: what must hold before anything is asked of the target, then the steps (run-steps.ts).
import type { Target, TargetLease } from '../targets/target.ts';
import { judgeListing } from './judge-run.ts';
import { RunSteps } from './run-steps.ts';
import { asAuthorised, ended, type ExecutorDeps, type RunRequest, type RunResult } from './run-request.ts';

/** Targets come with an answer of Central Command: after a start, or a change of site policy, not with the first one. */
const TARGET_WAIT_MS = 180_000;
const TARGET_PAUSE_MS = 2_000;

async function leaseOnceThere(
  id: string,
  { targets, clock }: ExecutorDeps,
  signal: AbortSignal,
): Promise<TargetLease | null> {
  const untilMs = clock.monoMs() + TARGET_WAIT_MS;
  for (;;) {
    const lease = targets.lease(id);
    if (lease !== null || clock.monoMs() >= untilMs) return lease;
    await clock.sleep(TARGET_PAUSE_MS, signal);
  }
}

/**
 * Runs it. Everything that a target does is a {@link RunResult}; the store's errors and the signal's reason are thrown. A run that
 * was cut short after its intent is `interrupted` in the journal and gets its end from {@link lookAfterInterruption}.
 */
export async function runRunbook(request: RunRequest, deps: ExecutorDeps, signal: AbortSignal): Promise<RunResult> {
  const { listedClass } = deps.circumstances(request.loaded);
  const unlisted = judgeListing({ runbook: request.loaded.runbook, listedClass });
  if (unlisted !== null) return ended(unlisted.outcome, unlisted.code, unlisted.sentence);
  const lease = await leaseOnceThere(request.targetId, deps, signal);
  if (lease === null) return ended('failed', 'target_not_held', 'there are no credentials for this target now');
  try {
    const target = authorised(request, lease.target, deps);
    if (target === null) {
      return ended(
        'rejected',
        'target_identity_differs',
        'the target is not known by the identity that was authorised',
      );
    }
    const release = await deps.locks.hold(request.targetId, signal);
    try {
      return await onTarget(request, target, deps, signal);
    } finally {
      release();
    }
  } finally {
    lease.release();
  }
}

/** Null where the target is known as another machine than the authorisation names. */
const authorised = ({ pinnedIdentity, targetId }: RunRequest, target: Target, deps: ExecutorDeps): Target | null =>
  pinnedIdentity === null ? target : asAuthorised(target, pinnedIdentity, deps.machines.pinned(targetId));

async function onTarget(o: RunRequest, target: Target, deps: ExecutorDeps, signal: AbortSignal): Promise<RunResult> {
  const run = new RunSteps(o, target, deps, signal);
  try {
    return await steps(run, o, deps);
  } finally {
    await run.close();
  }
}

async function steps(run: RunSteps, o: RunRequest, deps: ExecutorDeps): Promise<RunResult> {
  if (o.action === 'detect') return run.detectOnly();
  if (o.dryRun) return o.action === 'remediate' ? run.remediate() : run.rollbackPlan();
  const release = deps.locks.tryChange();
  if (release === null) return ended('deferred', 'target_busy', 'another change is under way at this site');
  try {
    return o.action === 'remediate' ? await run.remediate() : await run.orderedRollback();
  } finally {
    release();
  }
}
