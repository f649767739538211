// What runs on the appliance left for later: one that was cut short is looked at and recorded as failed, never run again; one whose
// act went on by itself ends once a look sees what came of it.
import type { Finding } from '../../wire/schemas/finding.ts';
import type { RunRow } from '../../store/open-store.ts';
import type { ActionOutcome } from '../../wire/schemas/primitives.ts';
import { headOf, recordEnd } from '../record-run.ts';
import { nowS } from '../run-frame.ts';
import { APPLIANCE, type ApplianceDeps, type ApplianceLoaded } from './appliance-run.ts';
import { isMended } from './appliance-steps.ts';
import { forgetStarted, rememberStarted, startedRuns } from './started-runs.ts';

/** After this an interrupted run ends without a look, and one that was started has come to nothing. */
const WAIT_S = 86_400;
/** Between two looks at what was started and is at work: they cost the appliance something, and a backup takes its time. */
const LOOK_EVERY_S = 900;

type LookDeps = Pick<
  ApplianceDeps,
  'store' | 'evidence' | 'clock' | 'log' | 'look' | 'nowT' | 'lastFinding' | 'underWay'
> & {
  /** Where what was started undoes itself: whether it did, since this T. */
  readonly wentBack?: (loaded: ApplianceLoaded, sinceT: number) => boolean;
  /** Told of a started run's end within the unit of work that records it. `incidentId`: whose run it was; `seq`: its entry. */
  readonly settled?: (run: Settled & { readonly incidentId: string | null; readonly seq: number }) => void;
};
/** The runbook of that digest, where held. */
type Find = (sha256: string) => ApplianceLoaded | null;

/** A run that ended now: its second result, or its first where it had been cut short. */
export interface Settled {
  readonly runId: string;
  readonly runbookId: string;
  readonly outcome: ActionOutcome;
}

/** Ends what it can of the interrupted and the started runs. Rejects with the signal's reason. */
export async function lookAfterAppliance(deps: LookDeps, find: Find, signal: AbortSignal): Promise<readonly Settled[]> {
  return [...(await interruptedOnes(deps, find, signal)), ...(await startedOnes(deps, find, signal))];
}

async function interruptedOnes(deps: LookDeps, find: Find, signal: AbortSignal): Promise<readonly Settled[]> {
  const settled: Settled[] = [];
  for (const row of deps.store.runs.interrupted()) {
    if (row.targetId !== APPLIANCE) continue;
    const loaded = find(row.runbookSha256);
    const finding = loaded === null ? null : await deps.look(loaded.runbook.check, signal);
    const postState = seen(finding)?.facts ?? null;
    const nowT = deps.nowT();
    // In signed time, as its begin: whoever turns the wall clock ahead must not end the wait.
    if (postState === null && (nowT === null || nowT - row.at < WAIT_S)) continue;
    const end = { outcome: 'failed', code: 'runbook_interrupted', postState, used: null } as const;
    recordEnd(deps, row.runId, headOf(row), end, nowS(deps.clock));
    deps.log.warn('interrupted runbook looked at', { runbook: row.runbookId, target: row.targetId, run: row.runId });
    settled.push({ runId: row.runId, runbookId: row.runbookId, outcome: 'failed' });
  }
  return settled;
}

async function startedOnes(deps: LookDeps, find: Find, signal: AbortSignal): Promise<readonly Settled[]> {
  const { store } = deps;
  const settled: Settled[] = [];
  for (const { runId, at } of startedRuns(store)) {
    const nowT = deps.nowT();
    if (nowT === null) return settled;
    const row = store.runs.byId(runId);
    if (row === null) {
      forgetStarted(store, runId);
      continue;
    }
    const loaded = find(row.runbookSha256);
    // Asked before the look: what ended after it has not been seen by it.
    const underWay = loaded === null ? null : await deps.underWay(loaded, signal);
    const isOver = underWay === false;
    if (nowT - at < LOOK_EVERY_S && !isOver && (underWay === true || !isSeenMended(loaded, deps))) continue;
    const finding = loaded === null ? null : seen(await deps.look(loaded.runbook.check, signal));
    // What is still at work may yet take back what a look sees: an update does, where its system turns out not to hold.
    const isDone = loaded !== null && finding !== null && underWay !== true && isMended(loaded, finding);
    if (!isDone && !(isOver && finding !== null) && nowT - row.at < WAIT_S) {
      rememberStarted(store, { runId, at: nowT });
      continue;
    }
    const wentBack = !isDone && loaded !== null && deps.wentBack?.(loaded, row.at) === true;
    settled.push(settle(row, isDone ? 'success' : wentBack ? 'reverted' : 'failed', finding, deps));
  }
  return settled;
}

const CODE_OF = { success: null, reverted: 'runbook_reverted', failed: 'runbook_not_verified' } as const;

function settle(row: RunRow, outcome: keyof typeof CODE_OF, finding: Finding | null, deps: LookDeps): Settled {
  const { store, clock, log } = deps;
  const { runId, runbookId } = row;
  const code = CODE_OF[outcome];
  store.unit(() => {
    const head = headOf(row);
    const end = { outcome, code, postState: finding?.facts ?? null, used: null } as const;
    const seq = recordEnd(deps, null, head, end, nowS(clock));
    store.runs.settle(runId, outcome);
    forgetStarted(store, runId);
    deps.settled?.({ runId, runbookId, outcome, incidentId: head.link.incident_id ?? null, seq });
  });
  log.info('runbook ended', { runbook: runbookId, target: row.targetId, outcome, code });
  return { runId, runbookId, outcome };
}

/** The check saw it with nobody asking: worth a look of its own. */
function isSeenMended(loaded: ApplianceLoaded | null, { lastFinding }: Pick<LookDeps, 'lastFinding'>): boolean {
  const last = loaded === null ? null : lastFinding(loaded.runbook.check);
  return loaded !== null && last !== null && isMended(loaded, last);
}

/** An unknown says nothing about what is there. */
const seen = (finding: Finding | null): Finding | null => (finding?.result === 'unknown' ? null : finding);
