// Reads facts, has them judged, remembers the findings and hands them to the evidence.
import { readFacts } from '../facts/read-facts.ts';
import type { Check } from '../checks/check.ts';
import { CHECKS } from '../checks/registry.ts';
import { judgeAll } from '../checks/judge-all.ts';
import { activeWaivers } from '../trust/policy.ts';
import { isListed } from '../trust/content-list.ts';
import type { EntryTarget } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { DaemonContext } from './context.ts';
import { nowSeconds } from './context.ts';
import { daemonProbeContext } from './probe-context.ts';

/** The appliance itself, as a target of its own checks. */
export const APPLIANCE_TARGET = 'appliance';

export const applianceTarget = (context: DaemonContext): EntryTarget => ({
  id: APPLIANCE_TARGET,
  role: 'appliance',
  os_build: context.build.nixosRevision,
});

export interface ChecksRun {
  readonly findings: readonly Finding[];
  /** `seq` of each entry that a change wrote. */
  readonly changed: readonly number[];
}

/** Runs the given checks once. Never throws for what a probe meets: that is an `unknown` finding. */
export async function runChecks(
  checks: readonly Check[],
  context: DaemonContext,
  signal: AbortSignal,
): Promise<ChecksRun> {
  const { state, clock } = context;
  const probes = [...new Set(checks.flatMap((check) => check.probes))];
  const facts = await readFacts(probes, daemonProbeContext(context, signal));
  signal.throwIfAborted();
  const now = nowSeconds(clock);
  const trust = state.enrolled?.trust;
  const content = trust?.content() ?? null;
  const policy = trust?.policy() ?? null;
  const { baseline, controls } = context.checks;
  const findings = judgeAll({
    checks,
    facts,
    baseline,
    controls,
    waivers: policy === null ? [] : activeWaivers(policy.value, now),
    now,
    target: applianceTarget(context),
    baselineSigned: content === null || isListed(content.value, 'baseline', baseline.sha256),
  });
  for (const finding of findings) state.findings.set(`${finding.target.id}/${finding.check.id}`, finding);
  const recorded = state.enrolled?.recorder.recordFindings(findings);
  return { findings, changed: recorded?.changed ?? [] };
}

/** Checks whose time has come: `lastRun` holds monotonic milliseconds by check id. Pure. */
export function dueChecks(
  checks: readonly Check[],
  lastRun: ReadonlyMap<string, number>,
  nowMs: number,
  everyS: number | null,
): Check[] {
  return checks.filter((check) => {
    const last = lastRun.get(check.id);
    return last === undefined || nowMs - last >= (everyS ?? check.cadenceS) * 1_000;
  });
}

export const ALL_CHECKS = CHECKS;
