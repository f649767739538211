// Writes a canary into the system's log and looks for it, so that the check `logging` rests on something that was seen.
import { runJob } from '../../facts/jobs.ts';
import type { DaemonContext } from '../context.ts';
import { daemonProbeContext } from '../probe-context.ts';
import type { Stage } from '../stage.ts';

const EVERY_MS = 15 * 60_000;
/** The canary is looked for during 5 s, and then the earlier ones are. */
const DEADLINE_MS = 30_000;

export function canaryStage(context: DaemonContext): Stage {
  return {
    name: 'canary',
    wanted: () => context.checks.baseline.checks.logging?.expected === 'declared',
    intervalMs: () => EVERY_MS,
    jittered: true,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => EVERY_MS,
    async run(signal, runId) {
      const result = await runJob('logging-canary', daemonProbeContext(context, signal));
      if (result === null || result.last.outcome === 'proven') return;
      const { outcome, reason } = result.last;
      context.log.child({ run_id: runId, stage: 'canary' }).debug('canary not seen', { outcome, reason });
    },
  };
}
