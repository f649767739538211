// Once a day a timestamp from outside of the vendor. A failure is said once a run and tried again within the hour; nothing waits.
import { stampCheckpoint, wantsStamp } from '../../outputs/stamp-checkpoint.ts';
import { trustedStamp } from '../../outputs/trusted-stamp.ts';
import { readFileLimited } from '../../system/files.ts';
import { parseAuthorities } from '../../trust/open-timestamp.ts';
import type { DaemonContext } from '../context.ts';
import type { Stage, StageResult } from '../stage.ts';

const DAY_MS = 86_400_000;
/** After a failure, and before the first checkpoint. */
const RETRY_MS = 3_600_000;
const WAIT_FOR_CHECKPOINT_MS = 30_000;
/** The question itself has 20 s. */
const DEADLINE_MS = 30_000;
const MAX_CERTIFICATES_BYTES = 1_048_576;

export function timestampStage(context: DaemonContext): Stage {
  const { state, store, ids, config } = context;
  return {
    name: 'timestamp',
    wanted: () => config.timestamp_url !== null && state.enrolled !== null,
    intervalMs: () => RETRY_MS,
    jittered: true,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => RETRY_MS,
    async run(signal, runId): Promise<StageResult | void> {
      const { enrolled } = state;
      const { timestamp_url: url, timestamp_ca_path: caPath } = config;
      if (enrolled === null || url === null) return;
      const checkpoint = enrolled.uplink.cosigned();
      if (checkpoint === null) return { nextInMs: WAIT_FOR_CHECKPOINT_MS };
      const authorities =
        caPath === null
          ? null
          : parseAuthorities(readFileLimited(caPath, MAX_CERTIFICATES_BYTES).toString('utf8'), caPath);
      const last = store.timestamps.latest(checkpoint.origin);
      // Also the one from before a restart; what came in since then was checked as it came.
      if (last?.size !== state.timestamped?.size || last?.origin !== state.timestamped?.origin)
        state.timestamped = authorities === null ? null : trustedStamp(store, enrolled.identity, authorities);
      // By the authority's own time and the witness's: the clock of this machine may be wrong. A time that is far ahead must not
      // end the asking: where no certificates are named, whoever sits on the line says what time it is.
      const age = last === null ? DAY_MS : Math.abs(checkpoint.at - last.at) * 1_000;
      if (!wantsStamp(checkpoint, store) || age < DAY_MS) return;
      const at = await stampCheckpoint({ store, ids, log: enrolled.evidence, url, authorities }, checkpoint, signal);
      const { origin, size } = checkpoint;
      state.timestamped = authorities === null ? null : { origin, size, at };
      context.log.child({ run_id: runId, stage: 'timestamp' }).info('checkpoint timestamped', { origin, size, at });
    },
  };
}
