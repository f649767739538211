// Runbooks by id among those of the agent, or by the path of their folder.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { closestName } from '../errors/closest-name.ts';
import { WINDOWS_CHECKS } from '../checks/windows/registry.ts';
import { loadRunbook, runbookFolders, type LoadedRunbook } from '../execution/load-runbook.ts';

/** Folders of all runbooks of the package. */
export const shippedFolders = (contentDir: string): string[] =>
  ['windows', 'appliance'].flatMap((platform) => runbookFolders(join(contentDir, platform)));

export const load = (folder: string): LoadedRunbook => loadRunbook(folder, WINDOWS_CHECKS);

/** @throws usage where there is neither such an id nor such a folder; the errors of loadRunbook */
export function findRunbook(contentDir: string, idOrFolder: string): LoadedRunbook {
  const shipped = shippedFolders(contentDir);
  const own = shipped.find((folder) => basename(folder) === idOrFolder);
  if (own !== undefined) return load(own);
  if (existsSync(join(idOrFolder, 'runbook.yaml'))) return load(idOrFolder);
  const ids = shipped.map((folder) => basename(folder));
  const close = closestName(idOrFolder, ids);
  throw new AgentError('usage', `there is no runbook "${idOrFolder}"`, {
    remedy: close === null ? `runbooks: ${ids.join(', ')}, or the folder of another` : `did you mean ${close}?`,
  });
}
