// One round of looks at Windows targets, recorded as it comes, and what most of them have in common said once.
import { unseen } from '../checks/windows/windows-check.ts';
import type { EntryTarget } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import { lookAround, type TargetRound } from './look-around.ts';
import { isDark, reachFinding, type Reach } from './reach.ts';
import type { ExecutorDeps } from './run-request.ts';

/** What is known of the site's targets beyond this round. */
export interface SiteOfTargets {
  /** How each met its last look, by id; brought up to date. */
  readonly reach: Map<string, Reach>;
  /** Ids of the targets in force. */
  readonly known: () => readonly string[];
  /** The appliance, whose finding is about all of them, and the baseline that it is judged by. */
  readonly appliance: EntryTarget;
  readonly baseline: () => Finding['baseline'];
  /** Shows a finding to people without recording it. */
  readonly show: (finding: Finding) => void;
}

/** All findings of the round. Rejects as {@link lookAround} does. */
export async function lookAtTargets(
  rounds: readonly TargetRound[],
  deps: ExecutorDeps,
  site: SiteOfTargets,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { reach } = site;
  const all: Finding[] = [];
  const away: Finding[] = [];
  const onTarget = (targetId: string, met: Reach, findings: readonly Finding[]): void => {
    reach.set(targetId, met);
    all.push(...findings);
    if (met === 'unreachable') away.push(...findings);
    else deps.recordFindings(findings);
  };
  await lookAround(rounds, { ...deps, onTarget }, signal);
  const known = new Set(site.known());
  for (const id of reach.keys()) if (!known.has(id)) reach.delete(id);
  const reaches = [...reach.values()];
  if (isDark(reaches)) showDark(away, site);
  else deps.recordFindings(away);
  const now = Math.floor(deps.clock.wallMs() / 1_000);
  deps.recordFindings([reachFinding(reaches, { now, target: site.appliance, baseline: site.baseline() })]);
  return all;
}

/** Nothing is a pass while it cannot be seen; in the log the one finding of the network stands for all of these. */
function showDark(away: readonly Finding[], site: SiteOfTargets): void {
  const { sentence, facts } = unseen('subnet_dark', 'most Windows targets cannot be reached, this one among them');
  for (const finding of away) site.show({ ...finding, sentence, facts: { ...facts } });
}
