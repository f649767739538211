// Runs the checks whose cadence has come, enrolled or not: a box that waits for confirmation checks and shows already.
import { ROOT_JOBS_DIR } from '../../facts/job-result.ts';
import { nowSeconds, type DaemonContext } from '../context.ts';
import { keepLeftJobs } from '../keep-job-results.ts';
import { PROBE_DEADLINE_MS } from '../probe-context.ts';
import { ALL_CHECKS, dueChecks, runChecks } from '../run-checks.ts';
import type { Stage } from '../stage.ts';

/** How often it is looked whether a check is due. */
const LOOK_MS = 5_000;

export function checksStage(context: DaemonContext): Stage {
  const lastRun = new Map<string, number>();
  /** Requests for all checks at once that were carried out. */
  let answered = 0;
  const { clock, state, config } = context;
  return {
    name: 'checks',
    wanted: () => true,
    intervalMs: () => Math.min(LOOK_MS, (config.checks_interval_s ?? LOOK_MS) * 1_000),
    jittered: false,
    deadlineMs: 2 * PROBE_DEADLINE_MS,
    longestPauseMs: () => 60_000,
    async run(signal, runId) {
      const asked = state.care.checksAsked;
      const all = asked !== answered;
      const due = all ? ALL_CHECKS : dueChecks(ALL_CHECKS, lastRun, clock.monoMs(), config.checks_interval_s);
      if (due.length === 0) return;
      const startedMs = clock.monoMs();
      if (due.some(({ id }) => id === 'backup')) {
        const tell = (job: string, reason: string): void => context.log.warn('job not taken', { job, reason });
        keepLeftJobs(config.state_dir, ROOT_JOBS_DIR, tell, { now: nowSeconds(clock) });
      }
      const { findings, changed } = await runChecks(due, context, signal, { every: all });
      // Only now: a request whose run failed is made good by the next one.
      answered = asked;
      for (const check of due) lastRun.set(check.id, startedMs);
      const clockFinding = findings.find((finding) => finding.check.id === 'clock');
      if (clockFinding !== undefined) state.clockSynchronised = clockFinding.facts['synchronized'] === true;
      const log = context.log.child({ run_id: runId, stage: 'checks' });
      for (const finding of findings) {
        const fields = { check: finding.check.id, result: finding.result, reason: finding.sentence };
        if (finding.result === 'fail' || finding.result === 'unknown') log.debug('finding', fields);
      }
      log.debug('checks done', {
        checks: due.length,
        changed: changed.length,
        ms: Math.round(clock.monoMs() - startedMs),
      });
    },
  };
}
