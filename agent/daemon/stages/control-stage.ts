// Looks for requests that the CLI dropped: each only makes a stage run sooner, shows a claim code that was typed, or keeps healing from
// acting for a while. And for new provisioning files, until the appliance is enrolled.
import { typedClaim } from '../../identity/claim-file.ts';
import { clinicFileMark } from '../../identity/provision-files.ts';
import { isResetPending } from '../../identity/reset.ts';
import { takeControlDrops } from '../../system/status-file.ts';
import type { DaemonContext } from '../context.ts';
import { pauseByHand } from '../healing-pause.ts';
import { noteDecision } from '../note-decision.ts';
import { signedNow } from '../note-incident.ts';
import type { Stage, StageName } from '../stage.ts';

const STAGE_OF: Readonly<Record<string, StageName>> = {
  checkin_now: 'checkin',
  check_now: 'checks',
  upload_now: 'upload',
  provision_now: 'enrol',
  claim_code: 'enrol',
  healing_pause: 'healing',
  learning_approve: 'healing',
  learning_reject: 'healing',
};

export function controlStage(context: DaemonContext): Stage {
  let seen: string | null | undefined;
  /** What root took from a stick, or somebody copied here: not only looked at once its stage comes round. */
  const lookForFiles = (): void => {
    if (context.state.enrolled !== null) return;
    const mark = clinicFileMark(context.config.provision_dir);
    if (seen !== undefined && mark !== null && mark !== seen) {
      context.log.info('provisioning files changed');
      context.trigger('enrol');
    }
    seen = mark;
  };
  return {
    name: 'control',
    wanted: () => true,
    intervalMs: () => 2_000,
    jittered: false,
    deadlineMs: 10_000,
    longestPauseMs: () => 30_000,
    run() {
      if (isResetPending(context.config.state_dir)) context.requestRestart('provision reset');
      lookForFiles();
      for (const drop of takeControlDrops(context.config.state_dir)) {
        const stage = STAGE_OF[drop.verb];
        if (stage === undefined) context.log.warn('unknown request dropped', { file: drop.name });
        else {
          context.log.info('request taken', { verb: drop.verb });
          // Without this the stage would only look whether a check happens to be due.
          if (drop.verb === 'check_now') context.state.care.checksAsked += 1;
          if (drop.code !== undefined && context.state.enrolled === null) {
            typedClaim(context.config.state_dir, context.clock, drop.code);
          }
          if (drop.for_s !== undefined) pauseByHand(context.store, drop.for_s, signedNow(context));
          if (drop.pattern !== undefined) noteDecision(context, drop);
          context.trigger(stage);
        }
      }
      return Promise.resolve();
    },
  };
}
