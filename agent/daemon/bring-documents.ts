// What a verified answer names is fetched and comes into force: root, revocations, content list with its files, site policy.
import type { TrustChanges } from '../uplink/sync-trust.ts';
import type { CheckinAnswer } from '../wire/schemas/checkin.ts';
import type { Enrolled } from './agent-state.ts';
import { takeUpContent } from './content-in-force.ts';
import type { DaemonContext } from './context.ts';
import { refreshTrust } from './take-up-cas.ts';

/**
 * Each document is committed by itself: one that stalls must not keep those before it, a revocation say, from counting.
 *
 * @throws what is not about a document: see sync-trust.ts
 */
export async function bringDocuments(
  enrolled: Enrolled,
  context: DaemonContext,
  answer: CheckinAnswer,
  signal: AbortSignal,
  runId: string,
): Promise<TrustChanges> {
  const changed = await documentsInTurn(context, signal, async () => {
    try {
      return await enrolled.uplink.syncTrust(answer, enrolled.evidence, signal, runId);
    } finally {
      refreshTrust(context, enrolled);
    }
  });
  const {
    rootChanged: root,
    contentChanged: content,
    policyChanged: policy,
    revocationsChanged: revocations,
  } = changed;
  const log = context.log.child({ run_id: runId });
  if (root || content || policy || revocations) log.info('documents changed', { root, content, policy, revocations });
  if (root || content || revocations) takeUpContent(context);
  if (content) {
    // What is judged by changed.
    context.state.care.checksAsked += 1;
    context.trigger('checks');
  }
  // What was kept or dropped under the policy before comes anew.
  if (policy) context.targets.wipe();
  return changed;
}

/** Check-ins and orders bring documents; two at once would each commit the same one. */
export function documentsInTurn<T>(
  { state }: Pick<DaemonContext, 'state'>,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const mine = state.documentsTurn.then(() => {
    signal.throwIfAborted();
    return work();
  });
  state.documentsTurn = mine.then(
    () => undefined,
    () => undefined,
  );
  return mine;
}
