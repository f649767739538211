// Whether a rule that is right in itself can be used here: its runbook has to be there and to take what the rule says. Pure.
import type { Runbook, RunbookParam } from '../execution/runbook.ts';
import type { Rule } from './rule.ts';

function paramProblem(name: string, value: unknown, param: RunbookParam | undefined): string | null {
  if (param === undefined) return `has no param ${name}`;
  switch (param.type) {
    case 'integer':
      return typeof value === 'number' && value >= param.min && value <= param.max
        ? null
        : `wants ${name} from ${param.min} to ${param.max}`;
    case 'boolean':
      return typeof value === 'boolean' ? null : `wants ${name} to be true or false`;
    case 'choice':
      return param.values.some((known) => known === value)
        ? null
        : `wants ${name} to be one of ${param.values.join(', ')}`;
    case 'names':
      return Array.isArray(value) && value.length <= param.max
        ? null
        : `wants ${name} to be a list of at most ${param.max} names`;
  }
}

/** Why this rule cannot be used with these runbooks, as one sentence; null where it can. */
export function whyNotUsable(rule: Rule, runbooks: ReadonlyMap<string, Runbook>): string | null {
  const { runbook: id, params = {}, platform, when } = rule.file;
  if (id === undefined) return null;
  const runbook = runbooks.get(id);
  if (runbook === undefined) return `its runbook ${id} is not here`;
  if (runbook.platform !== platform) return `${id} is for ${runbook.platform}`;
  if (runbook.check !== when.check) return `${id} heals what ${runbook.check} finds, not ${when.check}`;
  if (runbook.remediate.by === 'none') return `${id} changes nothing, so the rule has to say alert`;
  if (rule.limits.cooldownS < runbook.cooldown_s)
    return `${id} asks for a cool-down of at least ${runbook.cooldown_s} s`;
  if (rule.limits.maxAttempts > runbook.max_attempts) return `${id} allows ${runbook.max_attempts} attempts at most`;
  for (const [name, value] of Object.entries(params)) {
    const problem = paramProblem(name, value, runbook.params[name]);
    if (problem !== null) return `${id} ${problem}`;
  }
  return null;
}
