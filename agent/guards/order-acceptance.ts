// Order acceptance: one list of steps in a fixed order, the same for every order. With two defects the earlier step's code
// wins, so that what a refusal reveals does not depend on chance (docs/formats/orders.md).
import { isAgentError, type AgentError } from '../errors/agent-error.ts';
import { CODES, type ErrorCode } from '../errors/codes.ts';
import { requiredClass } from '../trust/order-class.ts';
import { tallySignatures } from '../trust/verify-role.ts';
import { sha256Hex } from '../wire/digest.ts';
import { maxLineBytes, parseDocument, payloadDigest } from '../wire/document.ts';
import { parseEnvelope, type Envelope } from '../wire/dsse.ts';
import type { Order } from '../wire/schemas/order.ts';
import type { OrderClass } from '../wire/schemas/primitives.ts';
import { DOCUMENTS } from '../wire/schemas/payload-types.ts';
import { parseStrict } from '../wire/strict-json.ts';
import { judgeAuthorisation, type AuthorisationJudgement } from './order-authorisation.ts';
import { judgeParams } from './order-params.ts';
import {
  judgeClass,
  judgeContent,
  judgeHealing,
  judgeIdentity,
  judgeSeq,
  judgeTime,
  judgeWindow,
  policyView,
} from './order-steps.ts';
import { refuse, type AcceptanceContext, type AcceptanceVerdict, type Refused, type Stop } from './order-verdict.ts';

export type { AcceptanceContext, AcceptanceVerdict } from './order-verdict.ts';

/** The steps in the order in which they are judged, each with the codes that it can end with, in their order. */
export const ACCEPTANCE_STEPS = [
  ['size', ['order_too_large']],
  ['envelope', ['order_envelope_invalid', 'order_payload_type']],
  ['signatures', ['order_key_revoked', 'order_key_out_of_scope', 'order_signature_invalid', 'order_threshold_not_met']],
  ['identity', ['order_other_partner', 'order_other_site', 'order_other_appliance', 'order_other_epoch']],
  ['schema', ['order_schema_invalid']],
  ['seq', ['order_replayed', 'order_seq_too_high']],
  [
    'time',
    [
      'order_times_inconsistent',
      'order_lifetime_too_long',
      'order_time_unknown',
      'order_root_expired',
      'order_expired',
      'order_not_yet_valid',
    ],
  ],
  ['class', ['order_kind_unsupported', 'order_class_too_low', 'order_class_too_high', 'order_read_only']],
  [
    'content',
    ['order_runbook_missing', 'order_runbook_not_listed', 'order_runbook_unexpected', 'order_content_expired'],
  ],
  ['params', ['order_params_invalid', 'order_targets_invalid', 'order_dry_run_unsupported']],
  [
    'authorisation',
    [
      'order_authorisation_unexpected',
      'order_authorisation_missing',
      'order_authorisation_invalid',
      'order_authorisation_signatures',
      'order_authorisation_mismatch',
      'order_authorisation_unpinned',
      'order_authorisation_lifetime',
      'order_authorisation_expired',
      'order_authorisation_used',
      'order_authorisation_not_yet',
      'order_authorisation_delay',
    ],
  ],
  ['healing', ['order_healing_paused']],
  ['window', ['order_override_not_allowed', 'order_clock_unsound', 'order_window_closed']],
] as const satisfies readonly (readonly [string, readonly ErrorCode[]])[];

/**
 * Judges one order by its envelope line (without LF). Never throws for what the line holds. Accepting changes nothing:
 * the caller commits `accepted` and the floor before it acts.
 */
export function acceptOrder(line: string, ctx: AcceptanceContext): AcceptanceVerdict {
  const read = readEnvelope(line);
  if ('verdict' in read) return read;
  const { envelope } = read;
  const digest = payloadDigest(envelope);
  const refused = (stop: Stop): Refused => refusal(stop, digest, null);

  const signed = judgeSignatures(envelope, ctx);
  if ('stop' in signed) return refused(signed);
  // From here on only the payload counts, and only as these very bytes.
  const parsed = readOrder(envelope.payload, ctx);
  if ('stop' in parsed) return refused(parsed);
  return judgeOrder(parsed.order, digest, signed.persons, ctx);
}

function judgeOrder(
  order: Order,
  digest: string,
  persons: readonly string[],
  ctx: AcceptanceContext,
): AcceptanceVerdict {
  const required = requiredClass(order, ctx.content);
  const { stop, authorisation } = judgeSteps(order, required, ctx);
  const authorisationDigest = authorisation?.digest ?? null;
  if (stop === null) {
    const authorisationId = authorisation?.id ?? null;
    return {
      verdict: 'accepted',
      order,
      digest,
      persons,
      requiredClass: required,
      authorisationDigest,
      authorisationId,
    };
  }
  switch (stop.stop) {
    case 'refused':
      return refusal(stop, digest, order);
    case 'not_yet':
      return { verdict: 'not_yet', digest, order, code: stop.code, sentence: stop.sentence };
    case 'deferred': {
      const { code, sentence, until } = stop;
      return { verdict: 'deferred', digest, order, code, sentence, until, authorisationDigest };
    }
  }
}

/** The steps from `seq` on. The first one that stops ends it. */
function judgeSteps(order: Order, required: OrderClass, ctx: AcceptanceContext): AuthorisationJudgement {
  const early = judgeSeq(order, ctx) ?? judgeTime(order, ctx) ?? judgeClass(order, ctx);
  // judgeTime ends it where T is unknown; the test is for the compiler and for whoever reorders this.
  if (early !== null || ctx.nowT === null) {
    return { stop: early ?? refuse('order_time_unknown', 'there is no signed time'), authorisation: null };
  }
  const late = judgeContent(order, ctx.nowT, ctx) ?? judgeParams(order);
  if (late !== null) return { stop: late, authorisation: null };
  const { stop, authorisation } = judgeAuthorisation(order, required, ctx.nowT, ctx);
  const last = stop ?? judgeHealing(order, ctx) ?? judgeWindow(order, required, ctx.nowT, policyView(ctx));
  return { stop: last, authorisation };
}

/** Steps `size` and `envelope`. A refusal here names the digest of the line: there is no payload to name. */
function readEnvelope(line: string): { envelope: Envelope } | Refused {
  const stopAt = (code: ErrorCode, sentence: string, digest: string): Refused =>
    refusal(refuse(code, sentence), digest, null);
  const bytes = Buffer.byteLength(line);
  const lineDigest = sha256Hex(line);
  if (bytes > maxLineBytes('order')) return stopAt('order_too_large', `the order has ${bytes} bytes`, lineDigest);
  const envelope = orError(() => parseEnvelope(line, { maxBytes: maxLineBytes('order') }));
  if (isAgentError(envelope)) return stopAt('order_envelope_invalid', CODES.order_envelope_invalid.when, lineDigest);
  const digest = payloadDigest(envelope);
  if (envelope.payload.length > DOCUMENTS.order.maxBytes) {
    return stopAt('order_too_large', `the payload of the order has ${envelope.payload.length} bytes`, digest);
  }
  if (envelope.payloadType !== DOCUMENTS.order.payloadType) {
    return stopAt('order_payload_type', 'the envelope carries no order', digest);
  }
  return { envelope };
}

/** Step `signatures`: distinct persons of role `order`, the threshold, the scope of the keys, revocations. */
function judgeSignatures(envelope: Envelope, ctx: AcceptanceContext): Stop | { readonly persons: readonly string[] } {
  const tally = tallySignatures(ctx.root, 'order', envelope, ctx);
  const { threshold } = ctx.root.roles.order;
  if (tally.persons.length >= threshold) return { persons: tally.persons };
  if (tally.revoked.length > 0) return refuse('order_key_revoked', 'the order is signed by a revoked key');
  if (tally.outOfScope.length > 0) {
    return refuse('order_key_out_of_scope', 'the order is signed by a key that may not sign for this site');
  }
  if (tally.persons.length === 0) return refuse('order_signature_invalid', 'no order key signed these bytes');
  return refuse('order_threshold_not_met', `${tally.persons.length} of ${threshold} needed persons signed the order`);
}

/** Steps `identity` and `schema`, in this order: a misdirected order says so even where it does not fit the schema. */
function readOrder(payload: Buffer, ctx: AcceptanceContext): Stop | { readonly order: Order } {
  const value = orError(() => ({ json: parseStrict(payload, { maxBytes: DOCUMENTS.order.maxBytes }) }));
  // What does not fit may have any name, a person's too: the sentence repeats nothing of it. So it is with the envelope.
  if (isAgentError(value)) return refuse('order_schema_invalid', CODES.order_schema_invalid.when);
  const identity = judgeIdentity(value.json, ctx);
  if (identity !== null) return identity;
  const order = orError(() => parseDocument('order', payload));
  return isAgentError(order) ? refuse('order_schema_invalid', CODES.order_schema_invalid.when) : { order };
}

function refusal(stop: Stop, digest: string, order: Order | null): Refused {
  const outcome = stop.stop === 'refused' ? (stop.outcome ?? 'rejected') : 'rejected';
  return { verdict: 'refused', outcome, code: stop.code, sentence: stop.sentence, digest, order };
}

function orError<T extends object>(read: () => T): T | AgentError {
  try {
    return read();
  } catch (error) {
    if (isAgentError(error) && error.code !== 'internal') return error;
    throw error;
  }
}
