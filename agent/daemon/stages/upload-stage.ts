// Uploads entries in order until Central Command has them all or this run's share is done.
import { isAgentError } from '../../errors/agent-error.ts';
import type { DaemonContext } from '../context.ts';
import { openedEpoch } from '../epoch-state.ts';
import type { Stage, StageResult } from '../stage.ts';
import { uploadEnded } from '../upload-ended.ts';

const DEADLINE_MS = 120_000;
const LONGEST_PAUSE_MS = 900_000;
/** One run ends after so many batches, so that a long backlog is worked off in steps. */
const MAX_BATCHES = 40;

export function uploadStage(context: DaemonContext): Stage {
  const { state, config } = context;
  return {
    name: 'upload',
    wanted: () => state.enrolled !== null,
    intervalMs: () => config.upload_interval_s * 1_000,
    jittered: true,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => LONGEST_PAUSE_MS,
    async run(signal, runId): Promise<StageResult | void> {
      const { enrolled } = state;
      if (enrolled === null) return;
      const log = context.log.child({ run_id: runId, stage: 'upload' });
      let uploaded = 0;
      try {
        uploaded += await uploadEnded(enrolled, context, signal, runId);
        // Nobody stores a log that the registrar has not bound.
        const isBound = openedEpoch(context.store)?.status !== 'unbound';
        for (let batch = 0; isBound && batch < MAX_BATCHES; batch += 1) {
          const step = await enrolled.uplink.uploadOnce(signal, runId);
          uploaded += step.uploaded;
          if (step.uploaded === 0 || step.remaining === 0 || step.parked !== null) break;
        }
        state.uploadError = null;
      } catch (error) {
        if (isAgentError(error) && !signal.aborted) state.uploadError = error;
        throw error;
      }
      if (uploaded > 0) log.debug('uploaded', { entries: uploaded, stored: enrolled.uplink.storedSize() });
      if (enrolled.uplink.queue().entries > 0 && uploaded > 0) return { nextInMs: 1_000 };
    },
  };
}
