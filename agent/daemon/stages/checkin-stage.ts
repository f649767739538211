// One check-in: what we are, what came of orders; and the signed answer with the time, the documents in force, the orders.
import type { AgentError } from '../../errors/agent-error.ts';
import { isAgentError } from '../../errors/agent-error.ts';
import { statfsSync } from 'node:fs';
import type { CheckinInput } from '../../uplink/check-in.ts';
import type { CheckinAnswer, Health } from '../../wire/schemas/checkin.ts';
import { LOG_LEVELS } from '../../wire/schemas/checkin.ts';
import { orderReport } from '../../orders/order-report.ts';
import { MAX_REFUSALS_PER_HOUR, receiveOrders } from '../../orders/receive-orders.ts';
import { acceptanceContext } from '../acceptance-context.ts';
import type { Enrolled } from '../agent-state.ts';
import { groupCauses, setAlert } from '../alerts.ts';
import { blockingReason } from '../blocking-reason.ts';
import { bringDocuments, documentsInTurn } from '../bring-documents.ts';
import { buildHealth } from '../build-health.ts';
import type { DaemonContext } from '../context.ts';
import { nowSeconds } from '../context.ts';
import { clockOf } from '../entry-context.ts';
import { endByConflict, mayOpenNextEpoch, openNextEpoch } from '../open-next-epoch.ts';
import { mayRecoverTime } from '../judge-of-dates.ts';
import { recoverTime } from '../recover-time.ts';
import { settleEpoch } from '../settle-epoch.ts';
import { refreshTrust, settleCas } from '../take-up-cas.ts';
import { knowledgeOf, targetHealth, whyStopped } from '../target-health.ts';
import type { Stage, StageResult } from '../stage.ts';

/** For the request, the documents it names and the orders in it. */
const DEADLINE_MS = 50_000;
/** Reports of orders in one check-in; the rest goes with the next. */
const MAX_REPORTS = 64;
/** Misses in a row before the log says so: one lost answer is no event. */
const MISSES_BEFORE_ALERT = 3;

export function checkinStage(context: DaemonContext): Stage {
  const { state, config } = context;
  const intervalMs = (): number => (state.checkinIntervalS ?? config.poll_interval_s) * 1_000;
  return {
    name: 'checkin',
    wanted: () => state.enrolled !== null,
    intervalMs,
    jittered: true,
    deadlineMs: DEADLINE_MS,
    // The check-in is how everything else comes back: it keeps its pace and has no breaker.
    longestPauseMs: intervalMs,
    async run(signal, runId): Promise<StageResult | void> {
      const { enrolled } = state;
      if (enrolled === null) return;
      try {
        await checkInWithKnownTime(enrolled, context, signal, runId);
      } catch (error) {
        if (isAgentError(error) && !signal.aborted) {
          noteFailure(enrolled, context, error);
          await tryNewerRoots(enrolled, context, error, signal, runId);
        }
        throw error;
      }
    },
  };
}

/** A clock that nobody vouches for keeps no box away for good: then a signed answer says what time it is. */
async function checkInWithKnownTime(
  enrolled: Enrolled,
  context: DaemonContext,
  signal: AbortSignal,
  runId: string,
): Promise<void> {
  try {
    await checkIn(enrolled, context, signal, runId);
    return;
  } catch (error) {
    if (!isAgentError(error) || error.code !== 'tls_date_invalid' || !mayRecoverTime(context)) throw error;
  }
  await recoverTime(enrolled, context, inputOf(enrolled, context, runId, []), signal);
  await checkIn(enrolled, context, signal, runId);
}

function inputOf(
  enrolled: Enrolled,
  context: DaemonContext,
  runId: string,
  reports: Parameters<typeof orderReport>[0][],
): CheckinInput {
  return {
    runId,
    health: currentHealth(enrolled, context),
    results: reports.map(orderReport),
    orderFloor: context.store.orders.floor(enrolled.identity.epoch),
    contentVersion: enrolled.trust.content()?.value.version ?? null,
    policyVersion: enrolled.trust.policy()?.value.version ?? null,
    revocationsVersion: enrolled.trust.revocationsVersion(),
  };
}

async function checkIn(enrolled: Enrolled, context: DaemonContext, signal: AbortSignal, runId: string): Promise<void> {
  const { store, clock } = context;
  const log = context.log.child({ run_id: runId, stage: 'checkin' });
  const reports = store.orders.unreported(MAX_REPORTS);
  const { answer, answerLine, signedTime, wentBack, bytes, caPin, alerts, targetsRefused } =
    await enrolled.uplink.checkIn(inputOf(enrolled, context, runId, reports), signal);
  const cosigned = enrolled.uplink.cosigned();
  if (cosigned !== null) context.checkpoints.cosigned(cosigned);
  store.orders.markReported(reports.map((report) => report.key));
  noteSuccess(enrolled, context, answer, signedTime.serverTime, wentBack);
  context.state.answerHeld = { line: answerLine, atMs: clock.monoMs() };
  settleCas(context, enrolled, caPin);
  const changed = await bringDocuments(enrolled, context, answer, signal, runId);
  const causes = groupCauses(alerts, changed.failures);
  for (const [code, cause] of Object.entries(causes)) setAlert(enrolled.recorder, code as keyof typeof causes, cause);
  setAlert(enrolled.recorder, 'targets_not_accepted', targetsRefused);
  setAlert(enrolled.recorder, 'credential_stopped', whyStopped(context.lockout));
  settleEpoch(enrolled, context, answer);
  const conflict = enrolled.uplink.conflict();
  if (conflict !== null && mayOpenNextEpoch(store, nowSeconds(clock))) {
    // The orders in this answer are for the epoch that ends.
    const identity = store.trust.identity() ?? enrolled.identity;
    context.state.enrolled = openNextEpoch(context, identity, endByConflict(store, identity, conflict));
    beginAnew(context);
    return;
  }
  const lines = answer.orders.map((envelope) => JSON.stringify(envelope));
  const received = receiveOrders(lines, {
    store,
    evidence: enrolled.evidence,
    log,
    acceptance: () => acceptanceContext(enrolled, context),
    now: () => nowSeconds(clock),
  });
  const flood = received.unrecorded > 0 ? { code: `more_than_${MAX_REFUSALS_PER_HOUR}_an_hour` } : null;
  setAlert(enrolled.recorder, 'order_refusals_unrecorded', flood);
  if (received.accepted + received.waiting > 0) {
    context.trigger('orders');
    context.trigger('runbooks');
  }
  if (answer.stored.size < enrolled.evidence.size()) context.trigger('upload');
  if (context.folders !== null) context.trigger('helpers');
  log.debug('checked in', { sent: bytes.sent, received: bytes.received, orders: lines.length });
}

/** A new epoch: everything that is observed is said in it, and Central Command hears of it at once. */
function beginAnew({ state, trigger }: DaemonContext): void {
  state.care.checksAsked += 1;
  trigger('checks');
  trigger('checkin');
}

function currentHealth(enrolled: Enrolled, context: DaemonContext): Health {
  const { state, store, config } = context;
  const disk = statfsSync(config.state_dir);
  return buildHealth({
    findings: state.findings.values(),
    queue: enrolled.uplink.queue(),
    targets: targetHealth(context.targets, knowledgeOf(context)),
    blocked: blockingReason(state),
    disk: { free_bytes: disk.bavail * disk.bsize, total_bytes: disk.blocks * disk.bsize },
    rssBytes: process.memoryUsage.rss(),
    clock: clockOf(context, store.trust.signedTime()),
  });
}

function noteSuccess(
  enrolled: Enrolled,
  context: DaemonContext,
  answer: CheckinAnswer,
  serverTime: number,
  wentBack: boolean,
): void {
  const { state, clock } = context;
  if (state.checkinFailures > 0) context.log.info('central command answers again', { misses: state.checkinFailures });
  state.checkinError = null;
  state.checkinFailures = 0;
  state.lastAnswerAt = nowSeconds(clock);
  state.clockOffsetMs = serverTime * 1_000 - clock.wallMs();
  state.timeWentBack = wentBack;
  state.checkinIntervalS = answer.config.checkin_interval_s;
  context.log.setLevel(moreVerbose(context.config.log_level, answer.config.log_level));
  enrolled.recorder.clear('central_unreachable');
  setAlert(enrolled.recorder, 'signed_time_went_back', wentBack ? { code: 'earlier_answer' } : null);
}

/**
 * An appliance that was off while the partner changed the key that signs answers knows only the old one. Newer roots need no
 * answer to be verified: each is signed by the holders of the one before.
 */
async function tryNewerRoots(
  enrolled: Enrolled,
  context: DaemonContext,
  error: AgentError,
  signal: AbortSignal,
  runId: string,
): Promise<void> {
  if (error.code !== 'signature_invalid' && error.code !== 'threshold_not_met') return;
  await documentsInTurn(context, signal, async () => {
    try {
      if (await enrolled.uplink.catchUpRoots(enrolled.evidence, signal, runId)) context.trigger('checkin');
    } finally {
      refreshTrust(context, enrolled);
    }
  });
}

function noteFailure(enrolled: Enrolled, context: DaemonContext, error: AgentError): void {
  const { state } = context;
  state.checkinError = error;
  state.checkinFailures += 1;
  if (state.checkinFailures === MISSES_BEFORE_ALERT) {
    enrolled.recorder.raise('central_unreachable', { severity: 'medium', details: { cause: error.code } });
  }
}

type LogLevel = CheckinAnswer['config']['log_level'];

/** Central Command may ask for more lines than the configuration, never for fewer: the journal is the technician's. */
export function moreVerbose(configured: LogLevel, asked: LogLevel): LogLevel {
  return LOG_LEVELS.indexOf(asked) < LOG_LEVELS.indexOf(configured) ? asked : configured;
}
