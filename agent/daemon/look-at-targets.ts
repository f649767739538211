// A round of looks at Windows targets with what the daemon knows.
import type { TargetRound } from '../execution/look-around.ts';
import { lookAtTargets } from '../execution/look-at-targets.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { Enrolled } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { applianceTarget } from './run-checks.ts';
import { executorDeps } from './windows.ts';

export function lookAtAll(
  rounds: readonly TargetRound[],
  enrolled: Enrolled,
  context: DaemonContext,
  runId: string,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { windows, targets, state } = context;
  return lookAtTargets(
    rounds,
    executorDeps(enrolled, context, runId, 'windows'),
    {
      reach: windows.reach,
      known: () => targets.list().map(({ id }) => id),
      appliance: applianceTarget(context),
      baseline: () => {
        const { id, version, sha256 } = context.checks.baseline;
        return { id, version, sha256 };
      },
      show: (finding) => state.findings.set(`${finding.target.id}/${finding.check.id}`, finding),
    },
    signal,
  );
}
