// Reads facts, has them judged, remembers the findings and hands them to the evidence.
import { readFacts } from '../facts/read-facts.ts';
import type { Check } from '../checks/check.ts';
import { CHECKS } from '../checks/registry.ts';
import { judgeAll } from '../checks/judge-all.ts';
import { watchOf } from '../checks/watch.ts';
import { activeWaivers } from '../trust/policy.ts';
import { isListed } from '../trust/content-list.ts';
import type { EntryTarget } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { DaemonContext } from './context.ts';
import { nowSeconds } from './context.ts';

/** Each probe has this long; the checks' stage as a whole twice that (design: 10 s each, in parallel). */
export const PROBE_DEADLINE_MS = 10_000;

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
  const facts = await readFacts(probes, {
    exec: context.exec,
    clock,
    stateDir: context.config.state_dir,
    keyFiles: [...context.keyFiles],
    pid: process.pid,
    deadlineMs: PROBE_DEADLINE_MS,
    watch: watchOf(context.checks.baseline),
    signal,
    databaseCheck: databaseCheck(context),
    skewMs: state.clockOffsetMs === null ? null : -state.clockOffsetMs,
  });
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

/** SQLite's check reads the whole file, so it is asked once at start and then once a day. */
const DATABASE_CHECK_EVERY_MS = 86_400_000;

function databaseCheck({ state, store, clock }: DaemonContext): string {
  const now = clock.monoMs();
  if (state.databaseCheck === null || now - state.databaseCheck.atMs >= DATABASE_CHECK_EVERY_MS) {
    state.databaseCheck = { said: store.pragmaCheck(), atMs: now };
  }
  return state.databaseCheck.said;
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
