// The rules that the signed content list in force names, and nothing else: a rule that ships with the agent counts where it is listed.
import { AgentError } from '../errors/agent-error.ts';
import type { ContentFiles } from '../store/content-files.ts';
import type { ContentList } from '../wire/schemas/content.ts';
import { loadRules, type RuleSource } from './load-rules.ts';
import { indexRules, type RuleIndex } from './rule-index.ts';

export interface RulesInForce {
  readonly index: RuleIndex;
  /** Of each listed file that gave no rule: why. The other rules are in force all the same. */
  readonly refused: readonly AgentError[];
}

export const NO_RULES: RulesInForce = { index: indexRules([]), refused: [] };

/** Of each listed id the newest version; its bytes by the digest that was signed. Without a list there are no rules. */
export function rulesInForce(list: ContentList | null, content: Pick<ContentFiles, 'read'>): RulesInForce {
  const newest = new Map<string, ContentList['files'][number]>();
  for (const file of list?.files ?? []) {
    if (file.kind === 'rule' && (newest.get(file.id)?.version ?? 0) < file.version) newest.set(file.id, file);
  }
  const sources: RuleSource[] = [];
  const missing: AgentError[] = [];
  for (const { path: place, sha256 } of newest.values()) {
    const bytes = content.read(sha256);
    if (bytes !== null) sources.push({ place, bytes });
    else
      missing.push(
        new AgentError('rule_invalid', 'the file of the rule is not here, or not as it was signed', { place }),
      );
  }
  const { rules, refused } = loadRules(sources);
  return { index: indexRules(rules), refused: [...missing, ...refused] };
}
