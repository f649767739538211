// Looks how much room is left, says so, and steers what is recorded; keeps the ballast and gives it up when the disk is full.
import { statfsSync } from 'node:fs';
import { ballastBytes, hasRoomFor, pressureOf, type StorageFacts } from '../../evidence/storage-pressure.ts';
import { isAgentError } from '../../errors/agent-error.ts';
import { ballastIn } from '../../system/ballast.ts';
import type { DaemonContext } from '../context.ts';
import type { Stage } from '../stage.ts';

const LOOK_MS = 5_000;
const MIB = 1_048_576;

export function storageStage(context: DaemonContext): Stage {
  const { state, config } = context;
  const ballast = ballastIn(config.state_dir);
  let saidNoBallast = false;
  const makeBallast = (bytes: number): void => {
    try {
      ballast.make(bytes);
      saidNoBallast = false;
    } catch (error) {
      if (!isAgentError(error)) throw error;
      if (!saidNoBallast) context.log.warn('ballast not made', { code: error.code, reason: error.message });
      saidNoBallast = true;
    }
  };
  return {
    name: 'storage',
    wanted: () => true,
    intervalMs: () => LOOK_MS,
    jittered: false,
    deadlineMs: 10_000,
    longestPauseMs: () => LOOK_MS,
    run() {
      const facts = factsOf(context);
      const bytes = ballastBytes(facts.totalBytes);
      if (state.storeError?.code === 'store_full' && ballast.exists()) {
        ballast.free();
        context.log.error('disk full, ballast given up', { code: 'store_full', bytes });
        // They failed for want of room: at once, while there is some.
        for (const stage of ['checks', 'checkin'] as const) context.trigger(stage);
      } else if (!ballast.exists() && bytes > 0 && hasRoomFor(bytes, facts)) {
        makeBallast(bytes);
      }
      note(context, facts, ballast.exists());
      return Promise.resolve();
    },
  };
}

function factsOf({ config, store }: DaemonContext): StorageFacts {
  const disk = statfsSync(config.state_dir);
  const evidenceBytes = store.entries
    .epochs()
    .reduce((sum, epoch) => sum + store.entries.state(epoch).bytes - (store.prunes.get(epoch)?.removedBytes ?? 0), 0);
  return {
    freeBytes: disk.bavail * disk.bsize,
    totalBytes: disk.blocks * disk.bsize,
    evidenceBytes,
    capBytes: config.evidence_cap_mib * MIB,
  };
}

/** State first: it holds even where the store refuses what follows. */
function note({ state }: DaemonContext, facts: StorageFacts, hasBallast: boolean): void {
  const pressure = pressureOf(facts, state.storage?.pressure ?? { disk: 'none', cap: 'none' });
  // Ballast is made where there is room, so once it was there, its absence says that the disk was full.
  const isFull = !hasBallast && (state.storeError?.code === 'store_full' || state.storage?.isFull === true);
  state.storage = { pressure, facts, isFull };
  const recorder = state.enrolled?.recorder;
  if (recorder === undefined) return;
  recorder.setPressure(isFull ? { ...pressure, disk: 'critical' } : pressure);
  const { freeBytes, totalBytes, evidenceBytes, capBytes } = facts;
  const disk = { free_bytes: freeBytes, total_bytes: totalBytes };
  if (isFull) recorder.raise('store_full', { severity: 'critical', details: disk });
  else recorder.clear('store_full');
  if (pressure.disk !== 'none') recorder.raise('disk_low', { severity: 'high', details: disk });
  else recorder.clear('disk_low');
  const cap = { evidence_bytes: evidenceBytes, cap_bytes: capBytes };
  if (pressure.cap !== 'none') recorder.raise('evidence_cap', { severity: 'high', details: cap });
  else recorder.clear('evidence_cap');
}
