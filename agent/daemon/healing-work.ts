// What the daemon has of healing between its runs.
import { NO_RULES, type RulesInForce } from '../healing/rules-in-force.ts';
import type { Finding } from '../wire/schemas/finding.ts';

export interface HealingWork {
  /** Of the content list in force; replaced as a whole when it changes. */
  rules: RulesInForce;
  /** Incident whose runbook runs in this process now. */
  underWay: string | null;
  /** Findings that were recorded before there was signed time in this boot, by target and check, each with its entry. */
  readonly waiting: Map<string, { readonly finding: Finding; readonly seq: number }>;
}

export const newHealingWork = (): HealingWork => ({ rules: NO_RULES, underWay: null, waiting: new Map() });
