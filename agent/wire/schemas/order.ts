// Orders and the two-person authorisations that disruptive ones embed.
import * as v from 'valibot';
import {
  actionOutcome,
  count,
  embeddedEnvelope,
  epoch,
  id,
  name,
  orderClass,
  plainObject,
  sha256Hex,
  text,
  unixSeconds,
  uuidv7,
  version,
} from './primitives.ts';

export const ORDER_KINDS = [
  'run_check',
  'sync_content',
  'collect_diagnostics',
  'restart_agent',
  'set_healing',
  'retry_credentials',
  'run_runbook',
  'reboot',
  'update_system',
  'rotate_device_key',
  'new_epoch',
] as const;
export const orderKind = v.picklist(ORDER_KINDS);
export type OrderKind = v.InferOutput<typeof orderKind>;

export const runbookRef = v.strictObject({ id: name, version, sha256: sha256Hex });

export const orderTarget = v.strictObject({
  id,
  /** Identity pinned on first contact: SPKI digest or machine SID. Required in authorisations. */
  pinned_identity: v.optional(text(200)),
});

/** `require`: disruptive work waits for the window. `override` makes the order disruptive and needs a reason. */
export const orderWindow = v.variant('mode', [
  v.strictObject({ mode: v.literal('require') }),
  v.strictObject({ mode: v.literal('override'), reason: text(400) }),
]);

export const orderSchema = v.strictObject({
  schema: v.literal('compliance-agent/order/v1'),
  order_id: uuidv7,
  partner_id: id,
  site_id: id,
  appliance_id: id,
  epoch,
  /** Strictly rising per epoch; assigned when issued. */
  seq: v.pipe(count, v.minValue(1)),
  issued_at: unixSeconds,
  not_before: unixSeconds,
  /** At most 15 minutes after `not_before`. */
  expires_at: unixSeconds,
  class: orderClass,
  kind: orderKind,
  runbook: v.optional(runbookRef),
  params: plainObject,
  targets: v.pipe(v.array(orderTarget), v.maxLength(64)),
  dry_run: v.boolean(),
  window: orderWindow,
  ticket: v.optional(text(80)),
  authorisation: v.optional(embeddedEnvelope),
});
export type Order = v.InferOutput<typeof orderSchema>;

/** Signed by two distinct operators: one disruptive act within days. Single use by id. */
export const authorisationSchema = v.strictObject({
  schema: v.literal('compliance-agent/authorisation/v1'),
  authorisation_id: uuidv7,
  partner_id: id,
  site_id: id,
  appliance_id: id,
  kind: orderKind,
  runbook: v.optional(runbookRef),
  params: plainObject,
  targets: v.pipe(v.array(orderTarget), v.maxLength(64)),
  window: orderWindow,
  issued_at: unixSeconds,
  /** At most 7 days after `issued_at`. */
  not_after: unixSeconds,
});
export type Authorisation = v.InferOutput<typeof authorisationSchema>;

/** State of an order as the appliance reports it in check-ins. */
export const orderReport = v.strictObject({
  /** Null when the refused bytes could not be read that far. */
  order_id: v.nullable(uuidv7),
  payload_sha256: sha256Hex,
  state: v.picklist(['accepted', 'started', 'handed_over', 'result', 'refused']),
  outcome: v.optional(actionOutcome),
  /** Refusal or failure code (docs/errors.md). */
  code: v.optional(name),
  evidence_seq: v.nullable(count),
  at: unixSeconds,
});
export type OrderReport = v.InferOutput<typeof orderReport>;
