// Orders that a helper carries out by the order itself, and that end this process: what the helper's answer makes of the order.
import { CODES, type ErrorCode } from '../../errors/codes.ts';
import type { HelperAnswer } from '../../execution/appliance/appliance-run.ts';
import type { OrderedAct } from '../../helpers/heal-request.ts';
import type { ActOutcome } from '../../orders/order-handler.ts';
import { askByOrder } from '../ask-helper.ts';
import type { DaemonContext } from '../context.ts';

/** Hands the signed line of the order with this digest over. Throws the signal's reason, and defects. */
export async function byHelper(
  verb: OrderedAct['verb'],
  digest: string,
  { store, folders, exec, ids, log }: DaemonContext,
  signal: AbortSignal,
): Promise<HelperAnswer> {
  const line = store.orders.byDigest(digest)?.line ?? '';
  return askByOrder(verb, line, { folders, exec, ids, log: log.child({ stage: 'orders' }) }, signal);
}

/** What is no start is a failure. Its words are the code's own: what a helper says may name what evidence must not. */
export function notStarted(answer: Exclude<HelperAnswer, { answer: 'started' | 'done' | 'unchanged' }>): ActOutcome {
  const code = codeOf(answer.answer === 'silent' ? 'helper_silent' : answer.code);
  return { kind: 'failed', code, sentence: CODES[code].when, result: {} };
}

/** As a helper names it; what this version does not know is a failed act. */
export const codeOf = (code: string | undefined): ErrorCode =>
  code !== undefined && Object.hasOwn(CODES, code) ? (code as ErrorCode) : 'helper_act_failed';
