// Lets the oldest evidence go that is stored elsewhere: only its lines; what proves them stays.
import { pruneLog } from '../../evidence/prune.ts';
import { timeT } from '../../trust/signed-time.ts';
import { nowSeconds, type DaemonContext } from '../context.ts';
import type { Stage, StageResult } from '../stage.ts';

const EVERY_MS = 60 * 60_000;
/** A backlog of a hundred thousand entries; what is left is done with the next run. */
const DEADLINE_MS = 120_000;
/** Until the first answer since the start it is looked so often. */
const WITHOUT_ANSWER_MS = 5_000;

export function pruneStage(context: DaemonContext): Stage {
  const { state, store, clock, config, keys } = context;
  return {
    name: 'prune',
    wanted: () => state.enrolled !== null,
    intervalMs: () => EVERY_MS,
    jittered: true,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => EVERY_MS,
    async run(signal, runId): Promise<StageResult | void> {
      const { enrolled } = state;
      if (enrolled === null) return;
      const nowT = timeT(store.trust.signedTime(), clock.bootMs(), clock.bootId());
      // The witness may contradict the log: its word of this start comes first.
      if (nowT === null || state.lastAnswerAt === null) return { nextInMs: WITHOUT_ANSWER_MS };
      // A log that is contradicted is evidence in a dispute: it stays as it is.
      if (enrolled.uplink.conflict() !== null || state.timeWentBack) return;
      const { removed, size } = await pruneLog(
        {
          store,
          identity: enrolled.identity,
          deviceSpki: keys.signer.spki,
          root: enrolled.trust.root().root,
          revokedKeyids: enrolled.trust.revokedKeyids(),
          rules: { keepNewest: config.evidence_retention, minAgeDays: config.prune_retention_days },
          nowT,
          wallNow: nowSeconds(clock),
        },
        signal,
      );
      if (removed === 0) return;
      context.log.child({ run_id: runId, stage: 'prune' }).info('evidence pruned', { entries: removed, below: size });
    },
  };
}
