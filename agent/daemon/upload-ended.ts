// One step of uploading what is left of epochs that have ended: logs in this store, and those in databases that were set aside.
import { join } from 'node:path';
import { openDamagedStore } from '../store/damaged-store.ts';
import { DATABASE_FILE } from '../store/open-store.ts';
import type { Enrolled } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { saveSetAsideLogs, setAsideLogs, type SetAsideLog } from './epoch-state.ts';

/** @returns entries that Central Command holds and did not before */
export async function uploadEnded(
  enrolled: Enrolled,
  context: DaemonContext,
  signal: AbortSignal,
  runId: string,
): Promise<number> {
  const uploaded = await enrolled.uplink.uploadClosedOnce(signal, runId);
  const log = setAsideLogs(context.store).find((one) => !one.done);
  return log === undefined ? uploaded : uploaded + (await oneBatch(log, enrolled, context, signal, runId));
}

async function oneBatch(
  log: SetAsideLog,
  enrolled: Enrolled,
  { store, config }: DaemonContext,
  signal: AbortSignal,
  runId: string,
): Promise<number> {
  const damaged = openDamagedStore(join(config.state_dir, log.folder), DATABASE_FILE);
  try {
    const progress =
      damaged === null
        ? { stored: log.stored, done: true }
        : await enrolled.uplink.uploadSetAside(log, damaged, signal, runId);
    const logs = setAsideLogs(store).map((one) => (one.folder === log.folder ? { ...one, ...progress } : one));
    saveSetAsideLogs(store, logs);
    return log.stored === null ? 0 : Math.max(0, (progress.stored ?? 0) - log.stored);
  } finally {
    damaged?.close();
  }
}
