// Probes as the command line runs them: about the daemon where it runs, else about nothing that only a daemon has.
import { join } from 'node:path';
import { PROBE_DEADLINE_MS, type ProbeContext } from '../facts/probe.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { runningStatus } from './liveness.ts';

export function probeContext(context: Pick<CliContext, 'exec' | 'clock'>, stateDir: string): ProbeContext {
  const status = runningStatus(stateDir, nowSeconds(context));
  const keys = join(stateDir, 'keys');
  return {
    exec: context.exec,
    clock: context.clock,
    stateDir,
    keyFiles: [join(keys, 'device.key'), join(keys, 'tls.key')],
    pid: status?.pid ?? process.pid,
    deadlineMs: PROBE_DEADLINE_MS,
    skewMs: status === null || status.clock_offset_s === null ? null : -status.clock_offset_s * 1_000,
  };
}
