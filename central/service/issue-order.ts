import { AgentError } from '../../agent/errors/agent-error.ts';
import { payloadDigest, signDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope } from '../../agent/wire/dsse.ts';
import type { Order } from '../../agent/wire/schemas/order.ts';
import { revokedKeyids } from '../../agent/trust/revocations.ts';
import { requiredClass } from '../../agent/trust/order-class.ts';
import type { Central } from './central.ts';
import { MAX_OUTSTANDING_BYTES, MAX_OUTSTANDING_ORDERS } from './build-answer.ts';
import { refuseRevoked } from './identify-client.ts';
import { uuidv7 } from './uuidv7.ts';

/** Orders live at most this long (schema and appliance refuse more). */
export const MAX_ORDER_LIFE_S = 900;

export interface OrderWish {
  readonly applianceId: string;
  readonly kind: Order['kind'];
  readonly params?: Order['params'];
  readonly runbook?: Order['runbook'];
  readonly targets?: Order['targets'];
  readonly dryRun?: boolean;
  readonly window?: Order['window'];
  readonly ticket?: string;
  /** What two persons signed for exactly this; a disruptive order needs it. */
  readonly authorisation?: Order['authorisation'];
  /** What the issuer thinks the class is; refused when it is another. */
  readonly expectedClass?: Order['class'];
  /** Seconds until the order expires; 900 when absent. */
  readonly lifeS?: number;
  /** For the audit table: who asked for it. */
  readonly issuedBy: string;
}

/**
 * Signs an order with the online key and writes it to the audit table, in one transaction; the next check-in delivers it.
 * `seq` is above every seq that was issued or that the appliance has reported, so a restored Central repeats none.
 *
 * @throws appliance_unknown, appliance_revoked, order_key_revoked, order_class_differs, order_needs_authorisation,
 *   order_backlog_full, schema_invalid, usage
 */
export function issueOrder(
  central: Pick<Central, 'store' | 'trust' | 'keys' | 'now'>,
  wish: OrderWish,
): { order: Order; line: string; digest: string } {
  const lifeS = wish.lifeS ?? MAX_ORDER_LIFE_S;
  if (!Number.isSafeInteger(lifeS) || lifeS < 1 || lifeS > MAX_ORDER_LIFE_S) {
    throw new AgentError('usage', `an order lives 1 to ${MAX_ORDER_LIFE_S} seconds`);
  }
  return central.store.unit(() => {
    const binding = central.store.appliances.binding(wish.applianceId);
    if (binding === null) throw new AgentError('appliance_unknown', `no appliance ${wish.applianceId} is enrolled`);
    const { appliance_id: applianceId, epoch } = binding;
    refuseRevoked(central, applianceId);
    if (revokedKeyids(central.trust.revocations()?.value ?? null).has(central.keys.order.keyid)) {
      throw new AgentError('order_key_revoked', 'the order key of this Central Command is revoked');
    }
    const now = central.now();
    const { orders, checkins } = central.store;
    const waiting = orders.outstanding(applianceId, epoch, now, MAX_OUTSTANDING_ORDERS);
    const bytes = waiting.reduce((sum, row) => sum + row.line.length, 0);
    if (waiting.length === MAX_OUTSTANDING_ORDERS || bytes > MAX_OUTSTANDING_BYTES) {
      throw new AgentError('order_backlog_full', `${waiting.length} orders of ${bytes} bytes are outstanding`);
    }
    const what = {
      kind: wish.kind,
      ...(wish.runbook === undefined ? {} : { runbook: wish.runbook }),
      params: wish.params ?? {},
      window: wish.window ?? { mode: 'require' as const },
    };
    const orderClass = classFor(central, what, wish);
    const status = checkins.status(applianceId);
    const floor = status !== null && status.epoch === epoch ? status.order_floor : 0;
    const { kind, params, window, runbook } = { runbook: undefined, ...what };
    const order: Order = {
      schema: 'compliance-agent/order/v1',
      order_id: uuidv7(now * 1_000),
      partner_id: central.trust.root().root.partner_id,
      site_id: binding.site_id,
      appliance_id: applianceId,
      epoch,
      seq: Math.max(orders.highestSeq(applianceId, epoch), floor) + 1,
      issued_at: now,
      not_before: now,
      expires_at: now + lifeS,
      class: orderClass,
      kind,
      ...(runbook === undefined ? {} : { runbook }),
      params,
      targets: wish.targets ?? [],
      dry_run: wish.dryRun ?? false,
      window,
      ...(wish.ticket === undefined ? {} : { ticket: wish.ticket }),
      ...(wish.authorisation === undefined ? {} : { authorisation: wish.authorisation }),
    };
    const envelope = signDocument('order', order, [central.keys.order]);
    const [line, digest] = [encodeEnvelope(envelope), payloadDigest(envelope)];
    orders.add({
      order_id: order.order_id,
      appliance_id: applianceId,
      epoch,
      seq: order.seq,
      digest,
      kind,
      class: orderClass,
      line,
      issued_at: now,
      expires_at: order.expires_at,
      issued_by: wish.issuedBy,
    });
    return { order, line, digest };
  });
}

function classFor(
  central: Pick<Central, 'trust'>,
  what: Pick<Order, 'kind' | 'params' | 'runbook' | 'window'>,
  { expectedClass: expected, authorisation }: Pick<OrderWish, 'expectedClass' | 'authorisation'>,
): Order['class'] {
  const required = requiredClass(what, central.trust.content()?.value ?? null);
  if (expected !== undefined && expected !== required) {
    throw new AgentError('order_class_differs', `the order is of class ${required}, not ${expected}`);
  }
  if (required === 'disruptive' && authorisation === undefined) {
    throw new AgentError('order_needs_authorisation', `${what.kind} is disruptive as it is ordered here`);
  }
  return required;
}
