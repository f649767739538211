// Carries out orders that run runbooks, beside all others: one may wait an hour for its target. Looks at what an interrupted run
// left, before anything else is changed there.
import type { ApplianceLoaded } from '../../execution/appliance/appliance-run.ts';
import { lookAfterAppliance } from '../../execution/appliance/look-after-appliance.ts';
import { lookAfterInterruptions } from '../../execution/look-after-interruption.ts';
import { settleStarted, type StartedEnd } from '../../healing/settle-started.ts';
import { carryOutOrders } from '../../orders/carry-out-orders.ts';
import { applianceBookOf } from '../appliance-work.ts';
import { applianceDeps, updateWentBack } from '../appliance.ts';
import type { DaemonContext } from '../context.ts';
import { orderDeps, RUNBOOK_LANE } from '../order-deps.ts';
import type { Stage } from '../stage.ts';
import { signedNow } from '../note-incident.ts';
import { executorDeps } from '../windows.ts';
import { bookOf } from '../windows-work.ts';

const LOOK_MS = 15_000;
/** Orders have deadlines of their own; this is what all of one run may take. */
const DEADLINE_MS = 12 * 3_600_000;

export function runbooksStage(context: DaemonContext): Stage {
  return {
    name: 'runbooks',
    wanted: () => context.state.enrolled !== null,
    intervalMs: () => LOOK_MS,
    jittered: false,
    deadlineMs: DEADLINE_MS,
    longestPauseMs: () => 60_000,
    async run(signal, runId) {
      const { enrolled } = context.state;
      if (enrolled === null) return;
      const deps = executorDeps(enrolled, context, runId, 'runbooks');
      await lookAfterInterruptions(deps, (sha256) => bookOf(context.windows, sha256), signal);
      const settled = (run: StartedEnd): void =>
        settleStarted({ store: context.store, evidence: enrolled.evidence }, run, signedNow(context));
      const wentBack = (loaded: ApplianceLoaded, sinceT: number): boolean => updateWentBack(loaded, sinceT, context);
      const own = { ...applianceDeps(enrolled, context, runId, 'runbooks'), settled, wentBack };
      await lookAfterAppliance(own, (sha256) => applianceBookOf(context.appliance, sha256)?.loaded ?? null, signal);
      const ended = await carryOutOrders({ ...orderDeps(enrolled, context, runId), lane: RUNBOOK_LANE }, signal);
      if (ended > 0) context.trigger('checkin');
    },
  };
}
