// Which services the baseline lets the helpers touch. Pure.
import type { LoadedBaseline } from '../checks/baseline.ts';
import { AgentError } from '../errors/agent-error.ts';
import type { Restartable } from './heal-request.ts';

/** The baseline is silent about what an act would need. */
export const notDeclared = (what: string): AgentError =>
  new AgentError('helper_not_declared', `the baseline declares no ${what}`, { place: 'baseline' });

/** The service that a word of a request means. @throws helper_not_declared */
export function unitToRestart({ checks }: LoadedBaseline, what: Restartable): string {
  if (what === 'av_edr') {
    if (checks.av_edr?.expected !== 'declared') throw notDeclared('protection against malware');
    return checks.av_edr.unit;
  }
  if (checks.logging?.expected !== 'declared' || checks.logging.forwarder === 'none')
    throw notDeclared('log forwarder');
  return checks.logging.forwarder;
}

/** @throws helper_not_declared */
export function backupUnit({ checks }: LoadedBaseline): string {
  if (checks.backup?.expected !== 'declared' || checks.backup.unit === undefined) {
    throw notDeclared('service that backs up');
  }
  return checks.backup.unit;
}
