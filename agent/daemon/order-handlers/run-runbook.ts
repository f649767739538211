// Order kind `run_runbook`: one runbook on the appliance itself, or on the targets that the order names, one after the other. Its result is what the
// separate verify of each run saw.
import { AgentError } from '../../errors/agent-error.ts';
import { APPLIANCE } from '../../execution/appliance/appliance-run.ts';
import { runApplianceRunbook } from '../../execution/appliance/run-appliance-runbook.ts';
import type { LoadedRunbook } from '../../execution/load-runbook.ts';
import { judgeRunbookParams, type ParamsVerdict } from '../../execution/order-params.ts';
import { incidentOfPlan } from '../../healing/learning/match-plan.ts';
import { runRunbook } from '../../execution/run-runbook.ts';
import type { RunLink } from '../../execution/record-run.ts';
import type { RunResult } from '../../execution/run-request.ts';
import type { ErrorCode } from '../../errors/codes.ts';
import type { ActOutcome, OrderHandler, OrderResult } from '../../orders/order-handler.ts';
import type { Order } from '../../wire/schemas/order.ts';
import type { ActionOutcome } from '../../wire/schemas/primitives.ts';
import type { Enrolled } from '../agent-state.ts';
import { applianceBookOf, type ApplianceBook } from '../appliance-work.ts';
import { applianceDeps } from '../appliance.ts';
import type { DaemonContext } from '../context.ts';
import { learning, learningAtHome, type LearntRun } from '../learn-from-runs.ts';
import { executorDeps } from '../windows.ts';
import { bookOf } from '../windows-work.ts';

/** One target: below the hour for which a run may keep its credentials. */
const TARGET_DEADLINE_MS = 55 * 60_000;
const LONGEST_MS = 8 * 3_600_000;

/** Of several targets the order's outcome is the worst of theirs. */
const WORST_FIRST: readonly ActionOutcome[] = [
  'failed',
  'reverted',
  'rejected',
  'alert',
  'needs_approval',
  'expired',
  'deferred',
  'dry_run',
  'success',
];
/** After one of these the other targets are left alone: what went wrong once would go wrong again. */
const STOPS: ReadonlySet<ActionOutcome> = new Set(['failed', 'reverted']);

const fail = (code: ErrorCode, sentence: string): ActOutcome => ({ kind: 'failed', code, sentence, result: {} });

export function runRunbookHandler(context: DaemonContext): OrderHandler {
  return {
    kind: 'run_runbook',
    does: 'work',
    deadlineMs: (order) => Math.min(Math.max(order.targets.length, 1) * TARGET_DEADLINE_MS, LONGEST_MS),
    async act(order, signal, { digest, authorisationDigest }) {
      const { enrolled } = context.state;
      const sha256 = order.runbook?.sha256 ?? '';
      const own = applianceBookOf(context.appliance, sha256);
      if (enrolled !== null && own !== null) {
        return onAppliance(order, own, { enrolled, context, digest, authorisationDigest }, signal);
      }
      const book = bookOf(context.windows, sha256);
      if (enrolled === null || book === null) {
        return fail('runbook_unknown', 'This agent holds no runbook of that id, version and digest.');
      }
      const judged = judgeRunbookParams(book.loaded.runbook, order.params);
      if (!judged.fits) return paramsDoNotFit(judged.key);
      if (order.targets.length === 0) return fail('runbook_targets_missing', 'The order names no target.');
      const plain = executorDeps(enrolled, context, digest.slice(0, 16), 'runbooks');
      const results: RunResult[] = [];
      for (const target of order.targets) {
        const planned = plannedRun(order, book.loaded, { context, targetId: target.id, judged });
        const deps = planned === null ? plain : learning(plain, context, planned);
        const link = linkOf(digest, authorisationDigest, planned);
        const result = await runRunbook(
          {
            ...book,
            targetId: target.id,
            action: judged.action,
            dryRun: order.dry_run || isDryRunByPolicy(order, enrolled.trust.policy()?.value ?? null),
            params: judged.params,
            pinnedIdentity: target.pinned_identity ?? null,
            windowOverridden: order.window.mode === 'override',
            link,
          },
          deps,
          signal,
        );
        results.push(result);
        if (STOPS.has(result.outcome)) break;
      }
      return outcomeOf(results, order.targets.length);
    },
    verify: () => ({ interrupted: context.store.runs.interrupted().length }),
  };
}

interface Asked {
  readonly enrolled: Enrolled;
  readonly context: DaemonContext;
  readonly digest: string;
  readonly authorisationDigest: string | null;
}

/** The appliance is named by the order itself: no target, or the one word for it, and no identity beside the order's own. */
async function onAppliance(
  order: Order,
  { loaded }: ApplianceBook,
  { enrolled, context, digest, authorisationDigest }: Asked,
  signal: AbortSignal,
): Promise<ActOutcome> {
  if (order.targets.some(({ id, pinned_identity: pinned }) => id !== APPLIANCE || pinned !== undefined)) {
    return fail('runbook_not_for_platform', 'The runbook is for the appliance itself; the order names something else.');
  }
  const judged = judgeRunbookParams(loaded.runbook, order.params);
  if (!judged.fits) return paramsDoNotFit(judged.key);
  const planned = plannedRun(order, loaded, { context, targetId: APPLIANCE, judged });
  const plain = applianceDeps(enrolled, context, digest.slice(0, 16), 'runbooks');
  const row = context.store.orders.byDigest(digest);
  if (row === null) throw new AgentError('internal', 'the journal does not hold the order that is carried out');
  const result = await runApplianceRunbook(
    {
      loaded,
      action: judged.action,
      dryRun: order.dry_run || isDryRunByPolicy(order, enrolled.trust.policy()?.value ?? null),
      params: judged.params,
      windowOverridden: order.window.mode === 'override',
      grounds: { kind: 'order', envelope: row.line },
      link: linkOf(digest, authorisationDigest, planned),
    },
    planned === null ? plain : learningAtHome(plain, context, planned),
    signal,
  );
  return outcomeOf([result], 1);
}

/** A change that a planner proposed for drift of this target: what comes of it is learnt from. Null for whatever else people order. */
function plannedRun(
  order: Order,
  { runbook, sha256 }: LoadedRunbook,
  o: {
    readonly context: DaemonContext;
    readonly targetId: string;
    readonly judged: Extract<ParamsVerdict, { fits: true }>;
  },
): LearntRun | null {
  const { context, targetId, judged } = o;
  if (judged.action !== 'remediate' || order.dry_run) return null;
  const { params } = judged;
  const about = { platform: runbook.platform, targetId, checkId: runbook.check };
  const incidentId = incidentOfPlan(context.store, { ...about, runbookSha256: sha256, params, ticket: order.ticket });
  if (incidentId === null) return null;
  return {
    ...{ incidentId, targetId, checkId: runbook.check, tier: 'l2', params, ruleSha256: null },
    runbook: { id: runbook.id, sha256 },
  };
}

const linkOf = (digest: string, authorisationDigest: string | null, planned: LearntRun | null): RunLink => ({
  order_digest: digest,
  ...(planned === null ? {} : { incident_id: planned.incidentId }),
  ...(authorisationDigest === null ? {} : { authorisation_digest: authorisationDigest }),
});

const paramsDoNotFit = (key: string | null): ActOutcome =>
  fail('runbook_params_invalid', `The params do not fit the runbook: ${key ?? 'one is not known'}.`);

/** Site policy may say that a runbook, or all of them, only say what they would do; the one does not lift the other. Pure. */
export function isDryRunByPolicy(
  order: Pick<Order, 'runbook'>,
  policy: { healing: { mode: string; runbooks: readonly { id: string; mode: string }[] } } | null,
): boolean {
  const own = policy?.healing.runbooks.find(({ id }) => id === order.runbook?.id);
  return own?.mode === 'dry_run' || policy?.healing.mode === 'dry_run';
}

/** Pure. */
export function outcomeOf(results: readonly RunResult[], asked: number): ActOutcome {
  const worst = results.toSorted((a, b) => WORST_FIRST.indexOf(a.outcome) - WORST_FIRST.indexOf(b.outcome))[0];
  if (worst === undefined) return fail('runbook_targets_missing', 'The order names no target.');
  const counts: Record<string, number> = { targets: asked, not_tried: asked - results.length, changes: 0 };
  for (const { outcome, changes } of results) {
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    counts['changes'] = (counts['changes'] ?? 0) + changes;
  }
  const result: OrderResult = counts;
  const { outcome, code, sentence } = worst;
  if (outcome === 'success') return { kind: 'done', sentence, result };
  const ownCode = code ?? 'runbook_not_verified';
  if (outcome === 'failed') return { kind: 'failed', code: ownCode, sentence, result };
  return { kind: 'ended', outcome, code: ownCode, sentence, result };
}
