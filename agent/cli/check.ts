// `check [ID…]`: runs the probes and judges them once, here and now. Nothing is recorded; the daemon does that.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import type { Check } from '../checks/check.ts';
import { judgeAll } from '../checks/judge-all.ts';
import { neededProbes } from '../checks/needed-probes.ts';
import { CHECKS } from '../checks/registry.ts';
import { closestName } from '../errors/closest-name.ts';
import { loadConfig } from '../config/load-config.ts';
import { readFacts } from '../facts/read-facts.ts';
import { isListed, openContentList } from '../trust/content-list.ts';
import { activeWaivers, openPolicy } from '../trust/policy.ts';
import { parseRoot } from '../trust/root.ts';
import type { Waiver } from '../wire/schemas/site-policy.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { runningStatus } from './liveness.ts';
import { withStore } from './open-state.ts';
import { print } from './print.ts';
import { probeContext } from './probe-context.ts';
import { columns, harmless, painter, resultColour } from './style.ts';

function chosen(ids: readonly string[]): readonly Check[] {
  if (ids.length === 0) return CHECKS;
  return ids.map((id) => {
    const found = CHECKS.find((check) => check.id === id);
    if (found !== undefined) return found;
    const names = CHECKS.map((check) => check.id);
    const close = closestName(id, names);
    throw new AgentError('usage', `there is no check "${id}"`, {
      remedy: close === null ? `checks: ${names.join(', ')}` : `did you mean ${close}?`,
    });
  });
}

interface InForce {
  readonly waivers: Waiver[];
  /** Whether a baseline of this digest may be judged by. */
  readonly isSigned: (sha256: string) => boolean;
}
/** `self` looks at a process; without a daemon there is only this one. */
const NO_DAEMON = 'the daemon is not running, so `self` judged this process in its place';

const NOTHING_IN_FORCE: InForce = { waivers: [], isSigned: () => true };

/** What signed policy and content say, verified again from the stored lines; nothing before enrolment. */
async function inForce(context: CliContext, stateDir: string): Promise<InForce> {
  try {
    return await withStore(context, stateDir, (store) => {
      const identity = store.trust.identity();
      const rootLine = store.trust.roots().at(-1)?.line;
      if (identity === null || rootLine === undefined) return NOTHING_IN_FORCE;
      const { root } = parseRoot(rootLine);
      const policyLine = store.trust.document('policy')?.line;
      const contentLine = store.trust.document('content')?.line;
      const policy =
        policyLine === undefined
          ? null
          : openPolicy(root, policyLine, { siteId: identity.siteId, currentVersion: null });
      const content = contentLine === undefined ? null : openContentList(root, contentLine, { currentVersion: null });
      return {
        waivers: activeWaivers(policy?.value ?? null, nowSeconds(context)),
        isSigned: (sha256) => content === null || isListed(content.value, 'baseline', sha256),
      };
    });
  } catch (error) {
    if (isAgentError(error) && error.code === 'store_missing') return NOTHING_IN_FORCE;
    throw error;
  }
}

/** With `--exit-code` exit 6 when a check finds drift. */
export async function check(
  context: CliContext,
  ids: readonly string[],
  options: { exitCode?: boolean },
): Promise<number> {
  const checks = chosen(ids);
  const { config } = loadConfig(context.configPath);
  const stateDir = context.stateDir ?? config.state_dir;
  const { baseline, controls } = context.loadChecks(config.baseline_path);
  const signed = await inForce(context, stateDir);
  const findings = judgeAll({
    checks,
    facts: await readFacts(neededProbes(checks, baseline), probeContext(context, stateDir, baseline)),
    baseline,
    controls: [...controls],
    waivers: signed.waivers,
    now: nowSeconds(context),
    target: { id: 'appliance', role: 'appliance', os_build: context.build.nixosRevision },
    baselineSigned: signed.isSigned(baseline.sha256),
  });
  const isRunning = runningStatus(stateDir, nowSeconds(context)) !== null;
  const paint = painter(context.stdout, context.env);
  const rows = findings.map((one) => [one.check.id, one.result, one.sentence]);
  const value = {
    baseline: { id: baseline.id, version: baseline.version, sha256: baseline.sha256 },
    daemon_running: isRunning,
    findings,
  };
  print(context, 'check', value, () => [
    ...columns(rows, (text, column, row) => (column === 1 ? paint(resultColour(rows[row]?.[1] ?? ''), text) : text)),
    ...findings.flatMap((one) => (one.remedy === undefined ? [] : [harmless(`${one.check.id}: ${one.remedy}`)])),
    ...(isRunning || !checks.some((one) => one.probes.includes('self')) ? [] : [NO_DAEMON]),
  ]);
  const isDrift = findings.some((one) => one.result === 'fail');
  return options.exitCode === true && isDrift ? EXIT.drift : EXIT.ok;
}
