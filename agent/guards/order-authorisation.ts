// The step `authorisation`: a disruptive order embeds what two distinct operators signed for exactly this act.
import { isAgentError } from '../errors/agent-error.ts';
import { readSource } from '../trust/open-document.ts';
import { tallySignatures } from '../trust/verify-role.ts';
import { parseDocument, payloadDigest } from '../wire/document.ts';
import { envelopeFromEmbedded, type Envelope } from '../wire/dsse.ts';
import { jcs } from '../wire/jcs.ts';
import type { Authorisation, Order } from '../wire/schemas/order.ts';
import type { EmbeddedEnvelope, OrderClass } from '../wire/schemas/primitives.ts';
import { refuse, type AcceptanceContext, type Stop } from './order-verdict.ts';

/** An authorisation is valid for at most 7 days. */
export const MAX_AUTHORISATION_S = 7 * 86_400;
/** Clocks of those who sign may be this far ahead of T. */
export const SIGNER_CLOCK_TOLERANCE_S = 300;

export interface AuthorisationJudgement {
  readonly stop: Stop | null;
  /** The embedded authorisation once its signatures and schema were found good, else null. */
  readonly authorisation: { readonly digest: string; readonly id: string } | null;
}

/** Judges the authorisation of an order that passed every earlier step. `nowT` is time T. */
export function judgeAuthorisation(
  order: Order,
  required: OrderClass,
  nowT: number,
  ctx: AcceptanceContext,
): AuthorisationJudgement {
  const embedded = order.authorisation;
  if (required !== 'disruptive') {
    if (embedded === undefined) return { stop: null, authorisation: null };
    return stopped(refuse('order_authorisation_unexpected', `an order of class ${required} needs no authorisation`));
  }
  if (embedded === undefined) {
    return stopped(refuse('order_authorisation_missing', 'a disruptive order needs an authorisation'));
  }
  const envelope = readEmbedded(embedded);
  if (envelope === null) {
    return stopped(refuse('order_authorisation_invalid', 'the authorisation is not an envelope of that type'));
  }
  // Signatures first: what the operators did not sign is not parsed.
  const alone = ctx.root.single_approver;
  const { persons } = tallySignatures(ctx.root, 'operator', envelope, ctx);
  const { threshold } = ctx.root.roles.operator;
  const needed = alone === undefined ? Math.max(2, threshold) : threshold;
  if (persons.length < needed) {
    const sentence = `${persons.length} of ${needed} needed operators signed the authorisation`;
    return stopped(refuse('order_authorisation_signatures', sentence));
  }
  const value = parseAuthorisation(envelope);
  if (value === null) {
    return stopped(
      refuse('order_authorisation_invalid', 'the authorisation is not strict JSON or does not fit its schema'),
    );
  }
  const digest = payloadDigest(envelope);
  const waits = alone !== undefined && persons.length < 2 ? alone.delay_s : 0;
  const stop = judgeAct(order, value) ?? judgeTimes(value, digest, waits, nowT, ctx);
  return { stop, authorisation: { digest, id: value.authorisation_id } };
}

function judgeAct(order: Order, value: Authorisation): Stop | null {
  const pairs: readonly [string, unknown, unknown][] = [
    ['partner_id', order.partner_id, value.partner_id],
    ['site_id', order.site_id, value.site_id],
    ['appliance_id', order.appliance_id, value.appliance_id],
    ['kind', order.kind, value.kind],
    ['runbook', order.runbook ?? null, value.runbook ?? null],
    ['params', order.params, value.params],
    ['targets', order.targets, value.targets],
    ['window', order.window, value.window],
  ];
  const other = pairs.find(([, ordered, authorised]) => jcs(ordered) !== jcs(authorised));
  if (other !== undefined) {
    return refuse('order_authorisation_mismatch', `${other[0]} of the order is not what was authorised`);
  }
  if (value.targets.some((target) => target.pinned_identity === undefined)) {
    return refuse('order_authorisation_unpinned', 'a target is authorised without its pinned identity');
  }
  return null;
}

function judgeTimes(
  value: Authorisation,
  digest: string,
  delayS: number,
  nowT: number,
  ctx: AcceptanceContext,
): Stop | null {
  const lifetime = value.not_after - value.issued_at;
  if (lifetime <= 0 || lifetime > MAX_AUTHORISATION_S) {
    return refuse('order_authorisation_lifetime', 'the authorisation is not valid for between 1 second and 7 days');
  }
  if (nowT >= value.not_after) return refuse('order_authorisation_expired', 'the authorisation is past its date');
  if (ctx.usedAuthorisations.has(value.authorisation_id) || ctx.usedAuthorisations.has(digest)) {
    return refuse('order_authorisation_used', 'the authorisation was used already');
  }
  if (ctx.usesKnownSince !== undefined && value.issued_at <= ctx.usesKnownSince) {
    const sentence = 'the authorisation is older than this epoch, in which nobody knows whether it was used';
    return refuse('order_authorisation_used', sentence);
  }
  if (value.issued_at > nowT + SIGNER_CLOCK_TOLERANCE_S) {
    const sentence = 'the authorisation is issued in the future';
    return { stop: 'not_yet', code: 'order_authorisation_not_yet', sentence };
  }
  const until = (ctx.authorisationsSeen?.get(digest) ?? nowT) + delayS;
  if (delayS > 0 && nowT < until) {
    const sentence = 'one person alone authorised this: the delay is not over';
    return { stop: 'deferred', code: 'order_authorisation_delay', sentence, until };
  }
  return null;
}

function readEmbedded(embedded: EmbeddedEnvelope): Envelope | null {
  return orNull(() => readSource('authorisation', envelopeFromEmbedded(embedded), undefined).envelope);
}

function parseAuthorisation(envelope: Envelope): Authorisation | null {
  return orNull(() => parseDocument('authorisation', envelope.payload));
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (isAgentError(error) && error.code !== 'internal') return null;
    throw error;
  }
}

function stopped(stop: Stop): AuthorisationJudgement {
  return { stop, authorisation: null };
}
