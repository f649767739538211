// Room `daemon`: the cycle that does the appliance's work. Opens the store, starts the stages, tells the service manager,
// writes the status file, and stops within ten seconds when asked to.
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import type { Config } from '../config/keys.ts';
import { dropSealedFile, keyFilesOf, loadKeys, loadOrCreateKeys } from '../identity/keys.ts';
import { finishReset } from '../identity/reset.ts';
import { recoverOrders } from '../orders/carry-out-orders.ts';
import { giveBackMemory } from '../system/give-back-memory.ts';
import { writeStatus } from '../system/status-file.ts';
import { createLockoutGuard } from '../targets/lockout-guard.ts';
import { withoutSecrets } from '../targets/secret-filter.ts';
import { createTargetTable } from '../targets/target-table.ts';
import { identifyingRunner } from '../execution/identifying-runner.ts';
import { createKnownMachines } from '../execution/known-machines.ts';
import { winRmRunner } from '../execution/winrm-runner.ts';
import { openWinRmSession } from '../winrm/open-session.ts';
import type { OpenWinRmSession } from '../winrm/session.ts';
import { timeT } from '../trust/signed-time.ts';
import { initialState, noteStoreTrouble } from './agent-state.ts';
import { loadAppliance } from './appliance-work.ts';
import { beginStore } from './begin-store.ts';
import { helperFolders } from './helper-folders.ts';
import { isNewBlocking, rememberBlocking } from './blocking-memory.ts';
import { blockingReason } from './blocking-reason.ts';
import { buildStatus } from './build-status.ts';
import type { BuildInfo } from '../system/build-info.ts';
import { takeUpContent } from './content-in-force.ts';
import type { DaemonContext, Ports } from './context.ts';
import { nowSeconds } from './context.ts';
import { signedNow } from './note-incident.ts';
import { noteTargetCertificate } from './target-certificates.ts';
import { createCycle } from './cycle.ts';
import type { Cycle } from './cycle.ts';
import { checkpointLines } from '../outputs/checkpoint-lines.ts';
import { loadChecks } from './load-checks.ts';
import { newHealingWork } from './healing-work.ts';
import { resumeEpoch } from './resume-epoch.ts';
import { forgetRotatedKey } from './settle-epoch.ts';
import { givesBackMemory, MEMORY_LOOK_MS } from './memory-care.ts';
import type { MemoryCare } from './memory-care.ts';
import { orderDeps } from './order-deps.ts';
import { createKeepsakeWriter } from './keepsake-writer.ts';
import { keep, kept } from './self-care.ts';
import type { WatchLimits } from './self-watch.ts';
import { certificateStage } from './stages/certificate-stage.ts';
import { checkinStage } from './stages/checkin-stage.ts';
import { canaryStage } from './stages/canary-stage.ts';
import { checksStage } from './stages/checks-stage.ts';
import { controlStage } from './stages/control-stage.ts';
import { enrolStage, tidyStick } from './stages/enrol-stage.ts';
import { healingStage } from './stages/healing-stage.ts';
import { evidenceStage } from './stages/evidence-stage.ts';
import { pruneStage } from './stages/prune-stage.ts';
import { ordersStage } from './stages/orders-stage.ts';
import { runbooksStage } from './stages/runbooks-stage.ts';
import { selfWatchStage } from './stages/self-watch-stage.ts';
import { storageStage } from './stages/storage-stage.ts';
import { recoveryKeyStage } from './stages/recovery-key-stage.ts';
import { helpersStage } from './stages/helpers-stage.ts';
import { windowsStage } from './stages/windows-stage.ts';
import { ticketsStage } from './stages/tickets-stage.ts';
import { timestampStage } from './stages/timestamp-stage.ts';
import { uploadStage } from './stages/upload-stage.ts';
import { loadWindows } from './windows-work.ts';
import { startOnFullDisk } from './start-on-full-disk.ts';
import { statusText } from './status-text.ts';

export interface DaemonOptions {
  readonly config: Config;
  readonly ports: Ports;
  readonly build: BuildInfo;
  /** The package's folder of baselines and control maps. */
  readonly contentDir: string;
  /** When its own memory and CPU are too much; what ships where nothing stands here. */
  readonly selfWatch?: WatchLimits;
  /** What reaches Windows targets; WinRM over the network where nothing stands here. */
  readonly openSession?: OpenWinRmSession;
}

export interface Daemon {
  /** Resolves with the exit code when the daemon has stopped. */
  readonly stopped: Promise<number>;
  /** Idempotent. */
  stop(reason: string): void;
}

/** Stages get this long to end; with the rest of the shutdown it stays under the ten seconds that are promised. */
const STOP_STAGES_MS = 8_000;
/** The status file is never older than this while the daemon runs. */
const STATUS_EVERY_MS = 5_000;
/** A request to restart waits so long, so that the result of handing over is committed first. */
const RESTART_AFTER_MS = 200;

/**
 * @throws {AgentError} where nothing can be started: state directory, keys, baseline, or the stored identity
 */
export function startDaemon(options: DaemonOptions): Daemon {
  const { config, ports } = options;
  const { clock, notify } = ports;
  const state = initialState();
  const targets = createTargetTable({
    clock,
    networks: () => state.enrolled?.trust.policy()?.value.target_networks ?? [],
  });
  const log = withoutSecrets(ports.log, () => targets.liveSecrets());
  makeStateDir(config.state_dir);
  const keyDir = join(config.state_dir, 'keys');
  endReset(config.state_dir, log);
  const { value: store, full } = startOnFullDisk(config.state_dir, log, () =>
    beginStore({ dir: config.state_dir, keyDir, clock, log }),
  );
  let cycle: Cycle | null = null;
  const ended = Promise.withResolvers<number>();
  let stopping = false;

  const stop = (reason: string): void => {
    if (stopping) return;
    stopping = true;
    void shutDown(reason).then(ended.resolve, ended.reject);
  };

  let context: DaemonContext;
  state.storeError = full;
  try {
    const epoch = store.trust.identity()?.epoch ?? null;
    if (dropSealedFile(keyDir, epoch ?? 1)) log.info('device key unsealed by systemd; its file is removed');
    // A device key that is gone is replaced in the next epoch only (resume).
    const keys =
      epoch === null ? loadOrCreateKeys(keyDir) : (loadKeys(keyDir, epoch) ?? loadOrCreateKeys(keyDir, epoch + 1));
    const lockout = createLockoutGuard({
      store,
      nowT: () => timeT(store.trust.signedTime(), clock.bootMs(), clock.bootId()),
    });
    const checks = loadChecks(options.contentDir, config.baseline_path);
    const overWinRm = winRmRunner({
      ...ports,
      log,
      open: options.openSession ?? openWinRmSession,
      guard: lockout,
      met: (target, ends) =>
        noteTargetCertificate({ store, log }, target, ends, signedNow({ store, clock }) ?? nowSeconds(clock)),
    });
    const runner = identifyingRunner(overWinRm, createKnownMachines({ store, clock, log }));
    const windows = loadWindows(options.contentDir, runner, log);
    const appliance = loadAppliance(options.contentDir, log);
    context = {
      ...ports,
      log,
      config,
      build: options.build,
      store,
      keys,
      keyFiles: keyFilesOf(keyDir, epoch ?? 1, keys.atRest),
      checkpoints: checkpointLines(log),
      targets,
      lockout,
      folders: helperFolders(process.env),
      shipped: { checks, books: windows.books, applianceBooks: appliance.books },
      checks,
      windows,
      appliance,
      healing: newHealingWork(),
      state,
      startedAt: nowSeconds(clock),
      instance: ports.ids.uuidv7(),
      trigger: (name) => cycle?.trigger(name),
      stages: () => cycle?.statuses() ?? [],
      requestRestart: (reason) => {
        setTimeout(() => stop(reason), RESTART_AFTER_MS);
      },
    };
    resume(context);
    takeUpContent(context);
  } catch (error) {
    store.close();
    throw error;
  }

  const remember = createKeepsakeWriter(context, keyDir);
  let told = '';
  /** Said once, not with each stage that ran. */
  let unwritten = '';
  const publish = (): void => {
    try {
      remember();
      noteBlocking(context);
      const status = buildStatus(context, cycle?.statuses() ?? []);
      writeStatus(config.state_dir, status);
      const text = statusText(status);
      if (text !== told) notify.status(text);
      told = text;
      unwritten = '';
    } catch (error) {
      const code = isAgentError(error) ? error.code : 'internal';
      if (code !== unwritten) log.warn('status not written', { code, reason: describe(error) });
      unwritten = code;
    }
  };
  cycle = createCycle(
    [
      controlStage(context),
      enrolStage(context),
      certificateStage(context),
      checkinStage(context),
      ordersStage(context),
      checksStage(context),
      windowsStage(context),
      runbooksStage(context),
      healingStage(context),
      canaryStage(context),
      evidenceStage(context),
      storageStage(context),
      pruneStage(context),
      uploadStage(context),
      timestampStage(context),
      ticketsStage(context),
      recoveryKeyStage(context),
      helpersStage(context),
      selfWatchStage(context, options.selfWatch),
    ],
    {
      clock,
      ids: ports.ids,
      ticker: ports.ticker,
      log,
      afterRun: (name, error) => {
        noteStoreTrouble(context.state, name, error);
        if (error?.code === 'store_full' && name !== 'storage') context.trigger('storage');
        publish();
        // Where something nearly always runs, the moment after a stage is the only one.
        careForMemory();
      },
    },
  );
  let memory: MemoryCare = { startedMs: clock.monoMs(), lastMs: null };
  const careForMemory = (): void => {
    const busy = (): boolean => cycle?.statuses().some(({ running }) => running) ?? true;
    if (!givesBackMemory(memory, clock.monoMs(), busy)) return;
    giveBackMemory();
    memory = { ...memory, lastMs: clock.monoMs() };
  };
  const timers = [setInterval(publish, STATUS_EVERY_MS), setInterval(careForMemory, MEMORY_LOOK_MS)];
  if (notify.watchdogMs !== null) timers.push(setInterval(() => notify.watchdog(), notify.watchdogMs / 3));

  const shutDown = async (reason: string): Promise<number> => {
    log.info('stopping', { reason });
    notify.stopping();
    context.state.lifecycle = 'stopping';
    const clean = (await cycle?.stop(STOP_STAGES_MS)) ?? true;
    for (const timer of timers) clearInterval(timer);
    await context.state.enrolled?.https.close();
    targets.wipe();
    context.state.lifecycle = 'stopped';
    publish();
    store.close();
    endReset(config.state_dir, log);
    log.info('stopped', { clean });
    return clean ? EXIT.ok : EXIT.internal;
  };

  cycle.start();
  publish();
  notify.ready();
  log.info('started', { version: options.build.version, state: context.state.lifecycle, state_dir: config.state_dir });
  return { stopped: ended.promise, stop };
}

/** A reset that a person asked for, or that an earlier process did not end. */
function endReset(stateDir: string, log: Ports['log']): void {
  const place = finishReset(stateDir);
  if (place !== null) log.warn('reset done: the keys are gone and the log is set aside', { place });
}

/** Takes up where an earlier process ended: identity, log, and orders that it had begun. */
function resume(context: DaemonContext): void {
  const { store, state } = context;
  const identity = store.trust.identity();
  if (identity === null) {
    state.lifecycle = 'unprovisioned';
    return;
  }
  state.enrolled = resumeEpoch(context, identity);
  state.lifecycle = 'enrolled';
  tidyStick(context, null);
  forgetRotatedKey(context);
  const interrupted = store.runs.markInterrupted();
  if (interrupted > 0) context.log.warn('runbooks of an earlier process were interrupted', { runs: interrupted });
  const recovered = recoverOrders(orderDeps(state.enrolled, context, context.instance));
  if (recovered > 0) context.log.info('orders of an earlier process ended', { orders: recovered });
}

const describe = (error: unknown): string => (isAgentError(error) ? error.describe() : String(error));

/** Remembers the blocking reason of this moment over restarts. */
function noteBlocking({ state, store, clock }: DaemonContext): void {
  if (state.lifecycle === 'stopping' || state.lifecycle === 'stopped') return;
  try {
    const before = kept(store, 'last_blocking');
    const after = rememberBlocking(before, blockingReason(state), nowSeconds(clock));
    if (isNewBlocking(before, after)) keep(store, 'last_blocking', after);
  } catch (error) {
    // A store that takes no write is a reason of its own, and must not keep the status file from being written.
    if (!isAgentError(error)) throw error;
  }
}

function makeStateDir(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o750 });
    chmodSync(dir, 0o750);
  } catch (cause) {
    throw new AgentError('store_read_only', 'the state directory cannot be made or its mode set', {
      place: dir,
      cause,
    });
  }
}
