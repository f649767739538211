// Reads facts, has them judged, remembers the findings and hands them to the evidence.
import type { FactSet, ProbeName } from '../facts/probes.ts';
import { readFacts } from '../facts/read-facts.ts';
import type { Check } from '../checks/check.ts';
import { CHECKS } from '../checks/registry.ts';
import { judgeAll } from '../checks/judge-all.ts';
import { neededProbes } from '../checks/needed-probes.ts';
import { activeWaivers } from '../trust/policy.ts';
import { isListed } from '../trust/content-list.ts';
import type { Opened } from '../trust/open-document.ts';
import type { EntryTarget } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { DaemonContext } from './context.ts';
import { nowSeconds } from './context.ts';
import { afterProbe, setAside, type UnreadableFact } from './probe-care.ts';
import { daemonProbeContext } from './probe-context.ts';
import { keep, kept } from './self-care.ts';
import { noteUnknown, unknownTooLong } from './unknown-since.ts';

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

/**
 * Runs the given checks once. Never throws for what a probe meets: that is an `unknown` finding. `every` also tries probes
 * that were set aside: somebody asked.
 */
export async function runChecks(
  checks: readonly Check[],
  context: DaemonContext,
  signal: AbortSignal,
  o: { readonly every: boolean },
): Promise<ChecksRun> {
  const { state, clock } = context;
  const { baseline, controls } = context.checks;
  const facts = await readCarefully(neededProbes(checks, baseline), context, signal, o.every);
  const now = nowSeconds(clock);
  const trust = state.enrolled?.trust;
  const content = trust?.content() ?? null;
  const policy = trust?.policy() ?? null;
  const findings = judgeAll({
    checks,
    facts,
    baseline,
    controls,
    waivers: policy === null ? [] : activeWaivers(policy.value, now),
    now,
    target: applianceTarget(context),
    baselineSigned: isBaselineSigned(content, context.store.trust.document('content') !== null, baseline.sha256),
  });
  for (const finding of findings) state.findings.set(`${finding.target.id}/${finding.check.id}`, finding);
  // First, so that what cannot be recorded is counted as such.
  try {
    const recorded = state.enrolled?.recorder.recordFindings(findings);
    return { findings, changed: recorded?.changed ?? [] };
  } finally {
    noteUnknownChecks(findings, context);
  }
}

/** Facts of all probes; those that were set aside keep their last one. */
async function readCarefully(
  probes: readonly ProbeName[],
  context: DaemonContext,
  signal: AbortSignal,
  every: boolean,
): Promise<FactSet> {
  const { clock, state, log } = context;
  const { probes: care } = state.care;
  const aside: Record<string, UnreadableFact> = {};
  for (const name of every ? [] : probes) {
    const fact = setAside(care.get(name), clock.monoMs(), nowSeconds(clock));
    if (fact !== null) aside[name] = fact;
  }
  const asked = probes.filter((name) => aside[name] === undefined);
  const read = await readFacts(asked, daemonProbeContext(context, signal));
  signal.throwIfAborted();
  for (const name of asked) {
    const fact = read[name];
    if (fact === undefined) continue;
    const after = afterProbe(care.get(name), fact, clock.monoMs());
    care.set(name, after);
    const pauseMs = after.breaker.openUntilMs - clock.monoMs();
    if (after.last !== null && pauseMs > 0) {
      log.warn('probe set aside', { probe: name, reason: after.last.reason, retry_in_s: Math.round(pauseMs / 1_000) });
    }
  }
  return { ...read, ...aside };
}

/** A check that has been unknown for a day is an alert of the log, until it is known again. */
function noteUnknownChecks(findings: readonly Finding[], { store, state, clock }: DaemonContext): void {
  const now = nowSeconds(clock);
  const since = noteUnknown(kept(store, 'unknown_since'), findings, now);
  keep(store, 'unknown_since', since);
  const [longest, ...others] = unknownTooLong(since, now);
  const recorder = state.enrolled?.recorder;
  if (longest === undefined) recorder?.clear('check_unknown_long');
  else {
    recorder?.raise('check_unknown_long', {
      severity: 'medium',
      details: { checks: 1 + others.length, longest_s: longest.forS },
    });
  }
}

/**
 * Before the first content list nothing is signed and nothing needs to be. From then on the list in force must name the baseline; one
 * that does not verify any more (its key was revoked, say) vouches for nothing. Pure.
 */
export function isBaselineSigned(
  content: Pick<Opened<'contentList'>, 'value'> | null,
  everHadList: boolean,
  baselineSha256: string,
): boolean {
  return content === null ? !everHadList : isListed(content.value, 'baseline', baselineSha256);
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
