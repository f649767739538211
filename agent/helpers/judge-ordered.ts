// Whether a helper may restart the machine or switch it to another system by an order of that kind: judged with the documents, the
// floor and the time of the helpers themselves. Pure.
import { AgentError } from '../errors/agent-error.ts';
import { acceptOrder } from '../guards/order-acceptance.ts';
import { paramsOf } from '../guards/order-params.ts';
import type { DeclaredSystem } from '../wire/schemas/declared-system.ts';
import { ledgerAt, withOrder, withRun, withSeen } from './heal-ledger.ts';
import type { OrderedAct } from './heal-request.ts';
import { judgeNow, openHealTrust } from './heal-trust.ts';
import type { ActContext } from './judge-act.ts';
import { acceptanceContext, judgeAge, type GroundsVerdict } from './judge-grounds.ts';

/** Of each kind in 24 hours, over restarts: who may restart the machine must not keep it restarting. */
const MAX_RUNS_A_DAY = 6;

export interface OrderedVerdict extends GroundsVerdict {
  /** What an order `update_system` names. */
  readonly system: DeclaredSystem | null;
}

/** @throws the errors of judgeNow and openHealTrust; what the order lacks is its `stop` */
export function judgeOrdered(act: OrderedAct, context: Omit<ActContext, 'baselineId'>): OrderedVerdict {
  const { clock } = context;
  const now = judgeNow(context.time, clock);
  const trust = openHealTrust(context.lines, now);
  const ledger = ledgerAt(context.ledger, now, trust.binding);
  const kind = act.verb === 'reboot' ? 'reboot' : 'update_system';
  const mine = { trust, now, clockSound: clock.synchronised };
  const verdict = acceptOrder(act.order, acceptanceContext(mine, ledger, kind));
  if (verdict.verdict !== 'accepted') {
    const seen = verdict.verdict === 'deferred' ? withSeen(ledger, verdict.authorisationDigest, now) : ledger;
    return { stop: new AgentError(verdict.code, verdict.sentence, { place: 'order' }), ledger: seen, system: null };
  }
  const { order, authorisationDigest: digest, authorisationId: id } = verdict;
  const tooOld = judgeAge(order, ledger);
  if (tooOld !== null) return { stop: tooOld, ledger, system: null };
  const runs = ledger.runs.filter(({ runbook }) => runbook === kind).length;
  if (runs >= MAX_RUNS_A_DAY) {
    const sentence = `${kind} was done ${runs} times within 24 hours`;
    return { stop: new AgentError('helper_not_now', sentence, { place: 'order' }), ledger, system: null };
  }
  return {
    stop: null,
    ledger: withOrder(withRun(ledger, kind, now), { seq: order.seq, digest, id, at: now }),
    system: kind === 'update_system' ? paramsOf('update_system', order) : null,
  };
}
