// Many rule files at once: each is judged by itself, so that a mistake in one takes no other rule away. Pure.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import type { Vocabulary } from './rule-fields.ts';
import { parseRule, type Rule } from './rule.ts';

export interface RuleSource {
  readonly place: string;
  readonly bytes: Uint8Array;
}

export interface LoadedRules {
  readonly rules: readonly Rule[];
  /** Of each file that gave no rule: why. */
  readonly refused: readonly AgentError[];
}

/** More files than this are a mistake of whoever put them there. */
export const MAX_RULES = 10_000;

/** Reads all of them. Of two files with one id the second is refused. */
export function loadRules(sources: readonly RuleSource[], vocabulary?: Vocabulary): LoadedRules {
  const rules: Rule[] = [];
  const refused: AgentError[] = [];
  const places = new Map<string, string>();
  for (const { place, bytes } of sources.slice(0, MAX_RULES)) {
    try {
      const rule = parseRule(bytes, place, vocabulary);
      const before = places.get(rule.file.id);
      if (before !== undefined) {
        throw new AgentError('rule_invalid', `the id ${rule.file.id} is taken by ${before}`, { place });
      }
      places.set(rule.file.id, place);
      rules.push(rule);
    } catch (error) {
      if (!isAgentError(error)) throw error;
      refused.push(error);
    }
  }
  for (const { place } of sources.slice(MAX_RULES)) {
    refused.push(new AgentError('rule_invalid', `there are more than ${MAX_RULES} rules`, { place }));
  }
  return { rules, refused };
}
