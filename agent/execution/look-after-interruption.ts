// What an interrupted run left is looked at once its target can be reached, and recorded as failed: never run again.
import type { WindowsCheck } from '../checks/windows/windows-check.ts';
import type { RunRow } from '../store/open-store.ts';
import { APPLIANCE } from './appliance/appliance-run.ts';
import type { Target } from '../targets/target.ts';
import { lookAt, type PhaseRun } from './phase.ts';
import { headOf, recordEnd } from './record-run.ts';
import type { ExecutorDeps, WindowsLoaded } from './run-request.ts';
import { toLook } from './run-steps.ts';
import { defaultParams } from './runbook.ts';
import { windowsFinding } from './windows-finding.ts';

/** After this the entry is written without a look: a target that stays away must not hold it up for ever. */
const WAIT_S = 86_400;

const nowS = (deps: Pick<ExecutorDeps, 'clock'>): number => Math.floor(deps.clock.wallMs() / 1_000);

/** Ends what it can on Windows targets; returns how many. `find`: the runbook of that digest and its check, where held. */
export async function lookAfterInterruptions(
  deps: ExecutorDeps,
  find: (sha256: string) => { readonly loaded: WindowsLoaded; readonly check: WindowsCheck } | null,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for (const row of deps.store.runs.interrupted()) {
    if (row.targetId === APPLIANCE) continue;
    const held = find(row.runbookSha256);
    const postState = await lookAfter(row, deps, held, signal);
    // In signed time, as its begin: whoever turns the wall clock ahead must not end the wait.
    const nowT = held === null ? nowS(deps) : deps.circumstances(held.loaded).nowT;
    if (postState === null && (nowT === null || nowT - row.at < WAIT_S)) continue;
    recordEnd(
      deps,
      row.runId,
      headOf(row),
      { outcome: 'failed', code: 'runbook_interrupted', postState, used: null },
      nowS(deps),
    );
    deps.log.warn('interrupted runbook looked at', { runbook: row.runbookId, target: row.targetId, run: row.runId });
    count += 1;
  }
  return count;
}

async function lookAfter(
  row: RunRow,
  deps: ExecutorDeps,
  held: { readonly loaded: WindowsLoaded; readonly check: WindowsCheck } | null,
  signal: AbortSignal,
) {
  if (held === null || deps.circumstances(held.loaded).listedClass === null) return null;
  const lease = deps.targets.lease(row.targetId);
  if (lease === null) return null;
  try {
    const release = await deps.locks.hold(row.targetId, signal);
    try {
      const from = nowS(deps);
      const { target } = lease;
      const params = defaultParams(held.loaded.runbook);
      const look = toLook(await verifyAlone({ ...held, params, snapshot: null }, target, deps, signal));
      const finding = windowsFinding(look, { ...held, target, params, waivers: deps.waivers(), from, to: nowS(deps) });
      deps.recordFindings([finding]);
      // An unknown says nothing about what is there.
      return finding.result === 'unknown' ? null : finding.facts;
    } finally {
      release();
    }
  } finally {
    lease.release();
  }
}

async function verifyAlone(what: PhaseRun, target: Target, { runner }: ExecutorDeps, signal: AbortSignal) {
  const session = runner.open(target);
  try {
    return await lookAt('verify', what, session, signal);
  } finally {
    await session.close();
  }
}
