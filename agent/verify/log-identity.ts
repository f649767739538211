// Whose log it is: what entry 0 brings (a binding, or a succession of the epoch before), and what later entries add to that.
import { AgentError, isAgentError } from '../errors/agent-error.ts';
import { openBinding } from '../trust/binding.ts';
import { openEpochConfirmation } from '../trust/epoch-confirmation.ts';
import { inForceFrom, openUnderAny } from '../trust/open-under-any.ts';
import type { Opened } from '../trust/open-document.ts';
import { openSuccession, PROVISIONAL_INTERVAL_S } from '../trust/succession.ts';
import { envelopeFromEmbedded } from '../wire/dsse.ts';
import { keyidOf } from '../wire/keys.ts';
import type { Binding } from '../wire/schemas/enrolment.ts';
import type { Predicate, PredicateOf } from '../wire/schemas/entry.ts';
import type { EmbeddedEnvelope } from '../wire/schemas/primitives.ts';
import type { Root } from '../wire/schemas/root.ts';

/** What every entry must say of itself, and the key that signs. */
export type BoundLog = Pick<
  Binding,
  | 'origin'
  | 'partner_id'
  | 'customer_id'
  | 'site_id'
  | 'appliance_id'
  | 'deployment_mode'
  | 'reseller_id'
  | 'device_spki'
>;

export interface LogIdentity {
  readonly bound: BoundLog;
  /** Of the device key. */
  readonly keyid: string;
  /** `unbound`: the epoch before named this log; the registrar has not spoken yet. */
  readonly status: 'confirmed' | 'provisional' | 'unbound';
  /** Null while unbound. */
  readonly binding: Opened<'binding'> | null;
  /** The binding of the epoch before, where entry 0 brought a succession. */
  readonly predecessor: Binding | null;
}

export interface Roots {
  readonly root: Root;
  readonly earlierRoots?: readonly Root[];
}

/** @throws entry_seq, entry_unbound */
export function firstIdentity(predicate: Predicate, roots: Roots): LogIdentity {
  if (predicate.seq !== 0) {
    throw new AgentError('entry_seq', `the log begins with entry ${predicate.seq}, not with entry 0`);
  }
  if (predicate.kind !== 'epoch') throw new AgentError('entry_unbound', 'entry 0 carries no binding');
  if (predicate.succession !== undefined) return succeeded(predicate, predicate.succession, roots);
  if (predicate.binding === undefined) throw new AgentError('entry_unbound', 'entry 0 carries no binding');
  return identityOf(openedBinding(predicate, predicate.binding, roots), null);
}

/**
 * A later `epoch` entry brings the registrar's binding of a log that began with a succession, a renewed binding, or the
 * confirmation of a provisional one; nothing else.
 *
 * @throws entry_unbound, epoch_too_soon, epoch_unconfirmed
 */
export function renewedIdentity(predicate: Predicate, roots: Roots, identity: LogIdentity): LogIdentity {
  if (predicate.kind !== 'epoch') return identity;
  const { binding, confirmation } = predicate;
  if (predicate.succession !== undefined || predicate.predecessor !== undefined) {
    throw new AgentError('entry_unbound', 'a succession stands in an entry that does not begin a log');
  }
  if (binding !== undefined && confirmation !== undefined) {
    throw new AgentError('entry_unbound', 'one entry brings a binding and its confirmation');
  }
  if (binding !== undefined) return renewed(identity, openedBinding(predicate, binding, roots));
  return confirmation === undefined ? identity : confirmed(predicate, confirmation, roots, identity);
}

/** Both say the same of whose log it is. */
export const isSameLog = (a: Omit<BoundLog, 'device_spki'>, b: Omit<BoundLog, 'device_spki'>): boolean =>
  a.origin === b.origin &&
  a.partner_id === b.partner_id &&
  a.customer_id === b.customer_id &&
  a.site_id === b.site_id &&
  a.appliance_id === b.appliance_id &&
  a.deployment_mode === b.deployment_mode &&
  a.reseller_id === b.reseller_id;

/** Entry 0 of an epoch that the appliance opened: the key of the epoch before names the new one. */
function succeeded(predicate: PredicateOf<'epoch'>, succession: EmbeddedEnvelope, roots: Roots): LogIdentity {
  const { predecessor, ended, status } = predicate;
  if (predecessor === undefined || ended === undefined || predicate.binding !== undefined || status !== 'provisional') {
    throw new AgentError('entry_unbound', 'entry 0 carries a succession, and not all that belongs to one');
  }
  const old = openedUnder(roots, predecessor).value;
  const next = asUnbound('the succession of the log is not acceptable', () =>
    openSuccession(old, envelopeFromEmbedded(succession)),
  );
  if (ended.old_origin !== old.origin) {
    throw new AgentError('entry_unbound', 'entry 0 names another epoch before it than its succession');
  }
  return {
    bound: { ...old, origin: next.new_origin, device_spki: next.new_device_spki },
    keyid: keyidOf(next.new_device_spki),
    status: 'unbound',
    binding: null,
    predecessor: old,
  };
}

function renewed(identity: LogIdentity, newer: Opened<'binding'>): LogIdentity {
  const { value } = newer;
  if (!isSameLog(value, identity.bound) || value.device_spki !== identity.bound.device_spki) {
    throw new AgentError('entry_unbound', 'a later binding is of another log');
  }
  // The registrar alone can let an epoch begin; that it counts is for people to say.
  if (value.status !== (identity.status === 'unbound' ? 'provisional' : identity.status)) {
    throw new AgentError('entry_unbound', `a binding calls a log ${value.status} that is ${identity.status}`);
  }
  const { predecessor } = identity;
  if (identity.status === 'unbound' && predecessor !== null) {
    if (value.previous?.origin !== predecessor.origin) {
      throw new AgentError('entry_unbound', 'the binding names another epoch before it than the succession');
    }
    const since = value.issued_at - predecessor.issued_at;
    if (predecessor.status === 'provisional' && since < PROVISIONAL_INTERVAL_S) {
      throw new AgentError('epoch_too_soon', `the epoch follows a provisional one after ${since} s`);
    }
  }
  return identityOf(newer, predecessor);
}

function confirmed(
  predicate: PredicateOf<'epoch'>,
  confirmation: EmbeddedEnvelope,
  roots: Roots,
  identity: LogIdentity,
): LogIdentity {
  const { binding } = identity;
  if (binding === null || identity.status !== 'provisional' || predicate.status !== 'confirmed') {
    throw new AgentError('epoch_unconfirmed', 'a confirmation stands where there is nothing to confirm');
  }
  try {
    const envelope = envelopeFromEmbedded(confirmation);
    // Who left before the epoch began has no say in it, whatever date he writes.
    const eligible = inForceFrom(newestFirst(roots), binding.value.issued_at);
    openUnderAny(eligible, (root) => openEpochConfirmation(root, binding, envelope));
  } catch (error) {
    if (!isAgentError(error) || error.code === 'internal') throw error;
    throw new AgentError('epoch_unconfirmed', `the confirmation does not hold: ${error.message}`, { cause: error });
  }
  return { ...identity, status: 'confirmed' };
}

function identityOf(binding: Opened<'binding'>, predecessor: Binding | null): LogIdentity {
  const { value } = binding;
  return { bound: value, keyid: keyidOf(value.device_spki), status: value.status, binding, predecessor };
}

function openedBinding(predicate: PredicateOf<'epoch'>, embedded: EmbeddedEnvelope, roots: Roots): Opened<'binding'> {
  const binding = openedUnder(roots, embedded);
  if (predicate.status !== binding.value.status) {
    throw new AgentError('entry_unbound', `the entry says ${predicate.status}, its binding ${binding.value.status}`);
  }
  return binding;
}

const newestFirst = ({ root, earlierRoots = [] }: Roots): readonly Root[] => [root, ...earlierRoots];

const openedUnder = (roots: Roots, embedded: EmbeddedEnvelope): Opened<'binding'> =>
  asUnbound('the binding of the log is not acceptable', () => {
    const envelope = envelopeFromEmbedded(embedded);
    return openUnderAny(newestFirst(roots), (root) => openBinding(root, envelope));
  });

function asUnbound<T>(sentence: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!isAgentError(error) || error.code === 'internal') throw error;
    throw new AgentError('entry_unbound', sentence, { cause: error, details: { binding: error.code } });
  }
}
