// What the daemon has of Windows: the runbooks that it holds, the runner, who is at work where, and how targets met their last
// look.
import { join } from 'node:path';
import { isAgentError } from '../errors/agent-error.ts';
import { WINDOWS_CHECKS } from '../checks/windows/registry.ts';
import type { WindowsCheck } from '../checks/windows/windows-check.ts';
import { loadRunbook, runbookFolders } from '../execution/load-runbook.ts';
import type { Book } from '../execution/look-around.ts';
import type { Reach } from '../execution/reach.ts';
import { isForWindows } from '../execution/run-request.ts';
import type { Runner } from '../execution/runner.ts';
import { createTargetLocks, type TargetLocks } from '../execution/target-locks.ts';
import type { Log } from '../system/ports.ts';
import type { TrustState } from './trust-state.ts';

export interface WindowsWork {
  /** In force; replaced as a whole when the content list changes. */
  books: readonly Book[];
  readonly locks: TargetLocks;
  readonly runner: Runner;
  /** By target id; in memory only. */
  readonly reach: Map<string, Reach>;
}

/** `contentDir` is the folder `runbooks/` of the package. A runbook with mistakes is told and left out; the others stay. */
export function loadWindows(
  contentDir: string,
  runner: Runner,
  log: Log,
  checks: readonly WindowsCheck[] = WINDOWS_CHECKS,
): WindowsWork {
  const books = runbookFolders(join(contentDir, 'windows')).flatMap((dir): Book[] => {
    try {
      const loaded = loadRunbook(dir, checks);
      const check = checks.find(({ id }) => id === loaded.runbook.check);
      return isForWindows(loaded) && check !== undefined ? [{ loaded, check }] : [];
    } catch (error) {
      if (!isAgentError(error) || error.code === 'internal') throw error;
      log.error('runbook left out', { code: error.code, place: error.place, reason: error.message });
      return [];
    }
  });
  return { books, locks: createTargetLocks(), runner, reach: new Map() };
}

/** The runbook of that digest and its check, where this agent holds it. */
export const bookOf = ({ books }: Pick<WindowsWork, 'books'>, sha256: string): Book | null =>
  books.find(({ loaded }) => loaded.sha256 === sha256) ?? null;

/** Runbooks that the content list in force names by id; their digest is judged when they run. */
export function listedBooks({ books }: Pick<WindowsWork, 'books'>, trust: Pick<TrustState, 'content'>): Book[] {
  const files = trust.content()?.value.files ?? [];
  return books.filter(({ loaded }) => files.some(({ kind, id }) => kind === 'runbook' && id === loaded.runbook.id));
}
