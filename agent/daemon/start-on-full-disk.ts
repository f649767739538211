// A start on a full disk gives up the ballast, so that the agent runs and can say so.
import { isAgentError, type AgentError } from '../errors/agent-error.ts';
import { ballastIn } from '../system/ballast.ts';
import type { Log } from '../system/ports.ts';

/**
 * Runs `open`, and once more without the ballast in `dir` where the disk was full. `full`: that error, where it was.
 *
 * @throws what `open` throws the second time, or where there was no ballast
 */
export function startOnFullDisk<T>(
  dir: string,
  log: Pick<Log, 'error'>,
  open: () => T,
): { readonly value: T; readonly full: AgentError | null } {
  try {
    return { value: open(), full: null };
  } catch (error) {
    const ballast = ballastIn(dir);
    if (!isAgentError(error) || error.code !== 'store_full' || !ballast.exists()) throw error;
    ballast.free();
    log.error('disk full at the start, ballast given up', { code: error.code, place: error.place });
    return { value: open(), full: error };
  }
}
