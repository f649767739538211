// Whether the daemon that wrote a status still runs.
import { isAgentError } from '../errors/agent-error.ts';
import { readStatus, STATUS_STALE_S, type AgentStatus } from '../system/status-file.ts';

export type Liveness = 'running' | 'stopped' | 'gone' | 'silent';

/** `silent`: the process exists and has not written for longer than it ever should. Pure. */
export function livenessOf(status: AgentStatus, now: number, exists: boolean): Liveness {
  if (status.state === 'stopped') return 'stopped';
  if (!exists) return 'gone';
  return now - status.written_at > STATUS_STALE_S ? 'silent' : 'running';
}

export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The status of a daemon that runs with this state directory at `now` (Unix seconds), or null. */
export function runningStatus(stateDir: string, now: number): AgentStatus | null {
  try {
    const status = readStatus(stateDir);
    if (status === null) return null;
    return livenessOf(status, now, processExists(status.pid)) === 'running' ? status : null;
  } catch (error) {
    if (isAgentError(error) && error.code === 'status_unreadable') return null;
    throw error;
  }
}
