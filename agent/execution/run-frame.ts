// What every run has in common, on a Windows target and on the appliance itself: the guards right before a change, the head that
// its entries repeat, its end, and what the journal knows of earlier ones.
import type { RunRow } from '../store/open-store.ts';
import type { Clock, Log } from '../system/ports.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import { DAY_S, judgeRun, type Stopped } from './judge-run.ts';
import type { LoadedRunbook } from './load-runbook.ts';
import type { Used } from './read-output.ts';
import { recordEnd, type RecordDeps, type RunHead, type RunLink } from './record-run.ts';
import type { Circumstances, RunResult } from './run-request.ts';

export interface FrameDeps extends RecordDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly circumstances: (loaded: LoadedRunbook) => Circumstances;
}

/** Which runbook on which target. */
export interface RunOf {
  readonly loaded: LoadedRunbook;
  readonly targetId: string;
}

export const nowS = (clock: Pick<Clock, 'wallMs'>): number => Math.floor(clock.wallMs() / 1_000);

/** Only a pass proves anything: what is waived or cannot be read does not. */
export const isGood = ({ result }: Finding): boolean => result === 'pass';

/** Windows and clocks are judged again right before the change. `nowT` is 0 where there is none; then it is stopped. */
export function mayChange(
  { loaded, targetId, windowOverridden }: RunOf & { readonly windowOverridden: boolean },
  deps: FrameDeps,
  o: { readonly undoing?: true } = {},
): { readonly nowT: number; readonly stopped: Stopped | null } {
  const { nowT, healingPaused, ...now } = deps.circumstances(loaded);
  if (nowT === null) {
    const sentence = 'there is no signed time in this boot yet';
    return { nowT: 0, stopped: { outcome: 'deferred', code: 'order_time_unknown', sentence } };
  }
  const { runs } = deps.store;
  // The way back is not held up by a pause, nor by how often or how lately something was changed.
  const isUndoing = o.undoing === true;
  const recent = isUndoing ? [] : runs.since(targetId, loaded.runbook.id, nowT - DAY_S);
  const interruptedOpen = runs.interrupted().some((row) => row.targetId === targetId);
  const { runbook } = loaded;
  const paused = healingPaused && !isUndoing;
  const given = { ...now, healingPaused: paused, nowT, windowOverridden, recent, interruptedOpen };
  return { nowT, stopped: judgeRun({ runbook, ...given }) };
}

/** The newest run of this very runbook on this target, where it was a change: what an ordered rollback undoes. */
export function lastChange({ loaded, targetId }: RunOf, { store }: Pick<FrameDeps, 'store'>): RunRow | null {
  const [last] = store.runs.since(targetId, loaded.runbook.id, 0);
  return last !== undefined && last.action === 'remediate' && last.runbookSha256 === loaded.sha256 ? last : null;
}

export function runHead(
  { loaded, link }: { readonly loaded: LoadedRunbook; readonly link: RunLink },
  finding: Finding,
  actions: readonly string[],
  planDigest: string | null,
): RunHead {
  const { id, version, rollback } = loaded.runbook;
  return {
    target: finding.target,
    controls: finding.controls,
    runbook: { id, version, sha256: loaded.sha256 },
    link,
    pre_state: finding.facts,
    actions,
    plan_digest: planDigest,
    rollback_available: rollback.how !== 'none',
  };
}

export interface Ending {
  readonly result: RunResult;
  /** Null where nobody looked. */
  readonly postState: RunHead['pre_state'] | null;
  readonly used: Used | null;
  readonly actions?: readonly string[];
}

/** Records how a run ended; `runId` is null where it ended before there was an intent. */
export function endRun(deps: FrameDeps, runId: string | null, head: RunHead, ending: Ending): RunResult {
  const { result, ...rest } = ending;
  const { outcome, code } = result;
  recordEnd(deps, runId, head, { outcome, code, ...rest }, nowS(deps.clock));
  deps.log.info('runbook ended', { runbook: head.runbook.id, target: head.target.id, outcome, code });
  return result;
}

/** What is cut short after the intent is looked at later, never run again. */
export async function undisturbed<T>(
  { store }: Pick<FrameDeps, 'store'>,
  runId: string,
  fn: () => Promise<T>,
): Promise<T> {
  try {
    return await fn();
  } catch (error) {
    store.runs.interrupt(runId);
    throw error;
  }
}
