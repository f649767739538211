// What a run on a Windows target is given by the daemon.
import { policyView } from '../guards/order-steps.ts';
import { windowState } from '../guards/maintenance-window.ts';
import { createKnownMachines } from '../execution/known-machines.ts';
import type { LoadedRunbook } from '../execution/load-runbook.ts';
import type { Circumstances, ExecutorDeps } from '../execution/run-request.ts';
import { runbookClass } from '../trust/content-list.ts';
import { activeWaivers } from '../trust/policy.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import { acceptanceContext } from './acceptance-context.ts';
import type { Enrolled } from './agent-state.ts';
import { nowSeconds, type DaemonContext } from './context.ts';

/** The circumstances of this moment, as orders are judged by them too. */
export function circumstances(
  enrolled: Enrolled,
  context: DaemonContext,
  { runbook, sha256 }: LoadedRunbook,
): Circumstances {
  const acceptance = acceptanceContext(enrolled, context);
  const { nowT, content, healingPaused } = acceptance;
  const { windows, timeZone, clockSound } = policyView(acceptance);
  return {
    listedClass: runbookClass(content, { id: runbook.id, version: runbook.version, sha256 }),
    windowOpen: nowT !== null && windowState(windows, timeZone, nowT).open,
    clockSound,
    healingPaused,
    nowT,
  };
}

export function executorDeps(enrolled: Enrolled, context: DaemonContext, runId: string, stage: string): ExecutorDeps {
  const { store, clock, ids, targets, windows } = context;
  return {
    store,
    evidence: enrolled.evidence,
    runner: windows.runner,
    targets,
    machines: createKnownMachines(context),
    locks: windows.locks,
    clock,
    ids,
    log: context.log.child({ run_id: runId, stage }),
    circumstances: (loaded) => circumstances(enrolled, context, loaded),
    waivers: () => {
      const policy = enrolled.trust.policy();
      return policy === null ? [] : activeWaivers(policy.value, nowSeconds(clock));
    },
    recordFindings: (findings) => noteFindings(findings, enrolled, context),
  };
}

/** As findings of any check: shown, recorded. */
export function noteFindings(findings: readonly Finding[], enrolled: Enrolled, { state }: DaemonContext): void {
  for (const finding of findings) state.findings.set(`${finding.target.id}/${finding.check.id}`, finding);
  enrolled.recorder.recordFindings(findings);
}
