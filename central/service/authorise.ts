// Authorisations: what people sign, days ahead, so that one disruptive act may be done once. They are drafted here, signed
// where the keys of people are, and published here; then the online key issues orders that embed them (issue-authorised.ts).
import { AgentError } from '../../agent/errors/agent-error.ts';
import { readSource } from '../../agent/trust/open-document.ts';
import { requiredClass } from '../../agent/trust/order-class.ts';
import { revokedKeyids } from '../../agent/trust/revocations.ts';
import { tallySignatures } from '../../agent/trust/verify-role.ts';
import { parseDocument, payloadDigest } from '../../agent/wire/document.ts';
import type { Envelope } from '../../agent/wire/dsse.ts';
import type { Authorisation } from '../../agent/wire/schemas/order.ts';
import type { Records } from './central.ts';
import { uuidv7 } from './uuidv7.ts';

const DAY_S = 86_400;
/** Limit of the format (docs/formats/orders.md). */
export const MAX_AUTHORISATION_DAYS = 7;

export interface AuthorisationWish {
  readonly applianceId: string;
  readonly kind: Authorisation['kind'];
  readonly params: Authorisation['params'];
  readonly runbook?: Authorisation['runbook'];
  readonly targets: Authorisation['targets'];
  readonly window: Authorisation['window'];
  readonly days: number;
}

/** @throws appliance_unknown, usage (not disruptive, days out of range, a target without its identity) */
export function draftAuthorisation({ store, trust, now }: Records, wish: AuthorisationWish): Authorisation {
  const binding = store.appliances.binding(wish.applianceId);
  if (binding === null) throw new AgentError('appliance_unknown', `no appliance ${wish.applianceId} is enrolled`);
  if (!Number.isSafeInteger(wish.days) || wish.days < 1 || wish.days > MAX_AUTHORISATION_DAYS) {
    throw new AgentError('usage', `an authorisation is good for 1 to ${MAX_AUTHORISATION_DAYS} days`);
  }
  if (requiredClass(wish, trust.content()?.value ?? null) !== 'disruptive') {
    throw new AgentError('usage', `${wish.kind} is not disruptive as it is asked for here: issue it as an order`);
  }
  if (wish.targets.some((target) => target.pinned_identity === undefined)) {
    throw new AgentError('usage', 'each target is authorised with its pinned identity: --target ID=IDENTITY');
  }
  const issuedAt = now();
  return {
    schema: 'compliance-agent/authorisation/v1',
    authorisation_id: uuidv7(issuedAt * 1_000),
    partner_id: trust.root().root.partner_id,
    site_id: binding.site_id,
    appliance_id: binding.appliance_id,
    kind: wish.kind,
    ...(wish.runbook === undefined ? {} : { runbook: wish.runbook }),
    params: wish.params,
    targets: wish.targets,
    window: wish.window,
    issued_at: issuedAt,
    not_after: issuedAt + wish.days * DAY_S,
  };
}

export interface Published {
  readonly value: Authorisation;
  readonly persons: readonly string[];
  /** False where it was published before. */
  readonly isNew: boolean;
}

/**
 * Judges the signatures as appliances will, and keeps the authorisation.
 *
 * @throws authorisation_signatures, authorisation_expired, appliance_unknown, the errors of parseEnvelope and parseDocument
 */
export function publishAuthorisation({ store, trust, now }: Records, envelope: Envelope, place: string): Published {
  const { root } = trust.root();
  const { line } = readSource('authorisation', envelope, place);
  // The site decides which keys count; it is read from bytes that are not verified yet and used for nothing else.
  const { site_id: siteId } = parseDocument('authorisation', envelope.payload, place);
  const revoked = revokedKeyids(trust.revocations()?.value ?? null);
  const { persons } = tallySignatures(root, 'operator', envelope, { revokedKeyids: revoked, siteId });
  const { threshold } = root.roles.operator;
  const needed = root.single_approver === undefined ? Math.max(2, threshold) : threshold;
  if (persons.length < needed) {
    const who = persons.length === 0 ? 'nobody' : persons.join(', ');
    throw new AgentError('authorisation_signatures', `${needed} operators must sign, ${who} did`, { place });
  }
  const value = parseDocument('authorisation', envelope.payload, place);
  if (value.not_after <= now()) {
    throw new AgentError('authorisation_expired', `authorisation ${value.authorisation_id} is past its date`, {
      place,
    });
  }
  const binding = store.appliances.binding(value.appliance_id);
  if (binding === null || binding.site_id !== siteId || value.partner_id !== root.partner_id) {
    throw new AgentError('appliance_unknown', `no appliance ${value.appliance_id} is enrolled at ${siteId}`, { place });
  }
  const isNew = store.authorisations.add({
    authorisation_id: value.authorisation_id,
    appliance_id: value.appliance_id,
    digest: payloadDigest(envelope),
    kind: value.kind,
    line,
    persons: persons.join(' '),
    not_after: value.not_after,
    published_at: now(),
  });
  return { value, persons, isNew };
}
