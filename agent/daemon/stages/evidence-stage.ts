// Heartbeats, the daily digest, the scope, waivers: certificates of targets that end: what the log says while nothing
// changes.
import { nowSeconds } from '../context.ts';
import type { DaemonContext } from '../context.ts';
import { signedNow } from '../note-incident.ts';
import { noteWaivers } from '../note-waivers.ts';
import { watchTargetCertificates } from '../target-certificates.ts';
import type { Stage } from '../stage.ts';

const LOOK_MS = 5_000;
const DEADLINE_MS = 30_000;

export function evidenceStage(context: DaemonContext): Stage {
  return {
    name: 'evidence',
    wanted: () => context.state.enrolled !== null,
    intervalMs: () => LOOK_MS,
    jittered: false,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => 60_000,
    run() {
      const { state, store, clock } = context;
      state.enrolled?.recorder.upkeep(nowSeconds(clock));
      if (state.enrolled !== null) {
        const { evidence, trust, recorder } = state.enrolled;
        noteWaivers({ store, evidence }, state.findings.values(), trust.policy(), nowSeconds(clock));
        watchTargetCertificates(context, recorder, signedNow(context));
      }
      return Promise.resolve();
    },
  };
}
