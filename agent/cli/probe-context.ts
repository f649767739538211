// Probes as the command line runs them: about the daemon where it runs, else about nothing that only a daemon has.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedBaseline } from '../checks/baseline.ts';
import { watchOf } from '../checks/watch.ts';
import { PROBE_DEADLINE_MS, type ProbeContext } from '../facts/probe.ts';
import { ROOT_FACTS_DIR } from '../facts/root-facts.ts';
import { nowSeconds, type CliContext } from './deps.ts';
import { runningStatus } from './liveness.ts';

export function probeContext(
  context: Pick<CliContext, 'exec' | 'clock' | 'build'>,
  stateDir: string,
  baseline: LoadedBaseline,
): ProbeContext {
  const status = runningStatus(stateDir, nowSeconds(context));
  const keys = join(stateDir, 'keys');
  return {
    exec: context.exec,
    clock: context.clock,
    stateDir,
    // A key that is sealed has a mark in its place.
    keyFiles: [join(keys, 'device.key'), join(keys, 'tls.key')].filter((path) => !existsSync(`${path}.sealed`)),
    pid: status?.pid ?? process.pid,
    deadlineMs: PROBE_DEADLINE_MS,
    rootFacts: { dir: ROOT_FACTS_DIR, agentVersion: context.build.version },
    watch: watchOf(baseline),
    skewMs: status === null || status.clock_offset_s === null ? null : -status.clock_offset_s * 1_000,
  };
}
