// What a run leaves: an intent, committed with its journal row before anything is changed, and a result after. Each is one unit
// of work.
import type { EvidenceLog } from '../evidence/log.ts';
import type { RunRow, Store } from '../store/open-store.ts';
import { jcsDigest } from '../wire/jcs.ts';
import type { EntryBody, EntryTarget } from '../wire/schemas/entry.ts';
import type { Finding } from '../wire/schemas/finding.ts';
import type { ActionOutcome, PlainJson } from '../wire/schemas/primitives.ts';
import type { LoadedRunbook } from './load-runbook.ts';
import type { Change, Used } from './read-output.ts';

export interface RecordDeps {
  readonly store: Pick<Store, 'unit' | 'runs'>;
  readonly evidence: Pick<EvidenceLog, 'append'>;
}

/** What asked for a run, as its entries name it. */
export interface RunLink {
  readonly order_digest?: string;
  readonly authorisation_digest?: string;
  /** Of healing: its incident, whose entries say by which rule and grant it acts. */
  readonly incident_id?: string;
}

/** What every entry of one run repeats; kept in the journal, so that the next process can write the last one. */
export interface RunHead {
  readonly target: EntryTarget;
  readonly controls: Finding['controls'];
  readonly runbook: { readonly id: string; readonly version: number; readonly sha256: string };
  readonly link: RunLink;
  readonly pre_state: Readonly<Record<string, PlainJson>>;
  readonly actions: readonly string[];
  readonly plan_digest: string | null;
  readonly rollback_available: boolean;
}

export interface RunEnd {
  readonly outcome: ActionOutcome;
  readonly code: string | null;
  /** Null where nobody looked. */
  readonly postState: Readonly<Record<string, PlainJson>> | null;
  readonly used: Used | null;
  readonly actions?: readonly string[];
}

/** What would be changed, in words; of the values only what a phase's own schema let through. */
export function changeSentences(changes: readonly Change[], verb: 'would change' | 'changed' | 'undid'): string[] {
  return changes.map(({ what, from, to }) => `${verb} ${what} from ${String(from)} to ${String(to)}`.toLowerCase());
}

/** One digest of a plan: the runbook, the target, the params and the changes. */
export function planDigest(
  loaded: Pick<LoadedRunbook, 'sha256'>,
  targetId: string,
  params: Readonly<Record<string, unknown>>,
  changes: readonly Change[],
): string {
  return jcsDigest({ runbook_sha256: loaded.sha256, target: targetId, params, changes });
}

const bodyOf = (head: RunHead): Omit<EntryBody<'action'>, 'phase'> => ({
  target: head.target,
  controls: [...head.controls],
  pre_state: { ...head.pre_state },
  actions: [...head.actions],
  ...(head.plan_digest === null ? {} : { plan_digest: head.plan_digest }),
  rollback_available: head.rollback_available,
  runbook: { ...head.runbook },
  ...head.link,
});

const usedState = (used: Used | null): Record<string, PlainJson> =>
  used === null ? {} : { used_bytes: used.bytes, ...(used.cpuMs === null ? {} : { used_cpu_ms: used.cpuMs }) };

/** Commits what is about to be done. Where this throws, nothing may be done. */
export function recordIntent(
  deps: RecordDeps,
  run: {
    readonly runId: string;
    readonly action: 'remediate' | 'rollback';
    readonly snapshot: unknown;
    readonly at: number;
  },
  head: RunHead,
): void {
  deps.store.unit(() => {
    deps.evidence.append('action', { ...bodyOf(head), phase: 'intent' });
    deps.store.runs.begin({
      runId: run.runId,
      targetId: head.target.id,
      runbookId: head.runbook.id,
      runbookVersion: head.runbook.version,
      runbookSha256: head.runbook.sha256,
      action: run.action,
      snapshot: JSON.stringify(run.snapshot),
      detail: JSON.stringify(head),
      at: run.at,
    });
  });
}

/** Commits how a run ended. `runId` is null where it ended before there was an intent. */
export function recordEnd(deps: RecordDeps, runId: string | null, head: RunHead, end: RunEnd, at: number): number {
  return deps.store.unit(() => {
    const entry = deps.evidence.append('action', {
      ...bodyOf(head),
      ...(end.actions === undefined ? {} : { actions: [...end.actions] }),
      phase: 'result',
      outcome: end.outcome,
      ...(end.code === null ? {} : { code: end.code }),
      ...(end.postState === null ? {} : { post_state: { ...end.postState, ...usedState(end.used) } }),
    });
    if (runId !== null) deps.store.runs.end(runId, end.outcome, at);
    return entry.seq;
  });
}

export const headOf = (row: Pick<RunRow, 'detail'>): RunHead => JSON.parse(row.detail) as RunHead;
