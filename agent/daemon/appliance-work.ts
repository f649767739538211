// The runbooks for the appliance itself that the daemon holds.
import { join } from 'node:path';
import { isAgentError } from '../errors/agent-error.ts';
import { isForAppliance, type ApplianceLoaded } from '../execution/appliance/appliance-run.ts';
import { loadRunbook, runbookFolders } from '../execution/load-runbook.ts';
import type { Log } from '../system/ports.ts';

/** A runbook of the appliance, in the shape in which Windows runbooks are held with their checks. */
export interface ApplianceBook {
  readonly loaded: ApplianceLoaded;
}

export interface ApplianceWork {
  /** In force; replaced as a whole when the content list changes. */
  books: readonly ApplianceBook[];
}

/** `contentDir` is the folder `runbooks/` of the package. A runbook with mistakes is told and left out; the others stay. */
export function loadAppliance(contentDir: string, log: Log): ApplianceWork {
  const books = runbookFolders(join(contentDir, 'appliance')).flatMap((dir): ApplianceBook[] => {
    try {
      const loaded = loadRunbook(dir, []);
      return isForAppliance(loaded) ? [{ loaded }] : [];
    } catch (error) {
      if (!isAgentError(error) || error.code === 'internal') throw error;
      log.error('runbook left out', { code: error.code, place: error.place, reason: error.message });
      return [];
    }
  });
  return { books };
}

/** The runbook of that digest, where this agent holds it. */
export const applianceBookOf = ({ books }: ApplianceWork, sha256: string): ApplianceBook | null =>
  books.find(({ loaded }) => loaded.sha256 === sha256) ?? null;
