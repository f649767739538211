// Rule files and runbooks from the folders where they lie.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isAgentError, type AgentError } from '../errors/agent-error.ts';
import { WINDOWS_CHECKS } from '../checks/windows/registry.ts';
import { loadRunbook, runbookFolders } from '../execution/load-runbook.ts';
import type { Runbook } from '../execution/runbook.ts';
import { readFileLimited } from '../system/files.ts';
import { loadRules, type LoadedRules, type RuleSource } from './load-rules.ts';

/** As much as parseDataFile takes. */
const MAX_RULE_BYTES = 256 * 1024;

/** @throws file_missing, file_unreadable, file_too_large naming the file */
export function readRuleFile(place: string): RuleSource {
  return { place, bytes: readFileLimited(place, MAX_RULE_BYTES) };
}

/** Every `*.yaml` of a folder, in the order of their names. A file that cannot be read is among the refused. */
export function readRules(dir: string): LoadedRules {
  const sources: RuleSource[] = [];
  const unreadable: AgentError[] = [];
  for (const name of readdirSync(dir)
    .filter((file) => file.endsWith('.yaml'))
    .toSorted()) {
    try {
      sources.push(readRuleFile(join(dir, name)));
    } catch (error) {
      if (!isAgentError(error)) throw error;
      unreadable.push(error);
    }
  }
  const { rules, refused } = loadRules(sources);
  return { rules, refused: [...unreadable, ...refused] };
}

/** The runbooks of `runbooks/windows/` and `runbooks/appliance/` by id; one with mistakes is left out, as if it were not there. */
export function readRunbooks(contentDir: string): ReadonlyMap<string, Runbook> {
  const found = new Map<string, Runbook>();
  for (const folder of ['windows', 'appliance'].flatMap((name) => runbookFolders(join(contentDir, name)))) {
    try {
      const { runbook } = loadRunbook(folder, WINDOWS_CHECKS);
      found.set(runbook.id, runbook);
    } catch (error) {
      if (!isAgentError(error)) throw error;
    }
  }
  return found;
}
