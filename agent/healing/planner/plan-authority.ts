// What a plan of a model may lead to: never a change (docs/decisions/0026). Pure.
import type { HealingMode } from '../../guards/healing-facts.ts';
import type { SitePolicy } from '../../wire/schemas/site-policy.ts';
import type { PlanAuthority } from './planner-types.ts';

/**
 * A dry run only where healing of this runbook is switched off nowhere; otherwise people read the plan as it is. A standing grant is for
 * a rule that people signed, and a plan has none: nothing here leads to a run that changes something.
 *
 * @param localMode what the appliance's own configuration allows at most
 */
export function planAuthority(runbookId: string, policy: SitePolicy | null, localMode: HealingMode): PlanAuthority {
  const own = policy?.healing.runbooks.find(({ id }) => id === runbookId)?.mode;
  const modes: HealingMode[] = [policy?.healing.mode ?? 'off', own ?? 'on', localMode];
  return modes.includes('off') ? 'suggest' : 'dry_run';
}
