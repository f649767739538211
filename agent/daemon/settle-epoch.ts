// What a verified answer brings for an epoch that this appliance opened: the registrar's binding, then the confirmation by people.
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { removeDeviceKey } from '../identity/keys.ts';
import { openBinding } from '../trust/binding.ts';
import { openEpochConfirmation } from '../trust/epoch-confirmation.ts';
import type { Opened } from '../trust/open-document.ts';
import { encodeEnvelope, envelopeFromEmbedded, parseEnvelope, toEmbedded } from '../wire/dsse.ts';
import { maxLineBytes } from '../wire/document.ts';
import type { CheckinAnswer } from '../wire/schemas/checkin.ts';
import type { Enrolled } from './agent-state.ts';
import type { DaemonContext } from './context.ts';
import { openedEpoch, saveOpenedEpoch, type OpenedEpoch } from './epoch-state.ts';
import { openStoredBinding } from './stored-binding.ts';

/**
 * Records what is new, each in one unit with its entry.
 *
 * @throws binding_invalid, the errors of openBinding and openEpochConfirmation: nothing is recorded then
 */
export function settleEpoch(enrolled: Enrolled, context: DaemonContext, answer: CheckinAnswer): void {
  const opened = openedEpoch(context.store);
  if (opened === null || opened.epoch !== enrolled.identity.epoch) return;
  // Provisional, and bound anew: by a Central Command that was restored from a backup.
  if (opened.status !== 'confirmed' && answer.binding !== undefined) {
    takeBinding(enrolled, context, opened, answer.binding);
  } else if (opened.status === 'provisional' && answer.confirmation !== undefined) {
    takeConfirmation(enrolled, context, opened, answer.confirmation);
  }
}

type Embedded = NonNullable<CheckinAnswer['binding']>;

function takeBinding(enrolled: Enrolled, context: DaemonContext, opened: OpenedEpoch, embedded: Embedded): void {
  const { store } = context;
  const line = encodeEnvelope(envelopeFromEmbedded(embedded, 'binding'));
  const binding = openBinding(enrolled.trust.root().root, line, {
    place: 'binding in the answer',
    revokedKeyids: enrolled.trust.revokedKeyids(),
  });
  refuseOther(binding, enrolled, opened);
  if (binding.digest === opened.bindingSha256) return;
  const identity = { ...(store.trust.identity() ?? enrolled.identity), bindingLine: line };
  const boundAt = binding.value.issued_at;
  store.unit(() => {
    enrolled.evidence.append('epoch', { binding: embeddedOf(line, 'binding'), status: 'provisional' });
    saveOpenedEpoch(store, { ...opened, status: 'provisional', bindingSha256: binding.digest, boundAt });
    store.trust.saveIdentity(identity);
  });
  context.log.warn('the epoch is bound, and provisional until people confirm it', { origin: identity.origin });
}

function refuseOther({ value }: Opened<'binding'>, { identity }: Enrolled, opened: OpenedEpoch): void {
  const right =
    value.origin === identity.origin &&
    value.device_spki === opened.deviceSpki &&
    value.status === 'provisional' &&
    value.previous?.origin === opened.ended.old_origin &&
    value.site_id === identity.siteId &&
    value.customer_id === identity.customerId;
  if (!right) throw new AgentError('binding_invalid', 'the binding in the answer is not for the epoch that was opened');
}

function takeConfirmation(enrolled: Enrolled, context: DaemonContext, opened: OpenedEpoch, embedded: Embedded): void {
  const { store } = context;
  const line = encodeEnvelope(envelopeFromEmbedded(embedded, 'epochConfirmation'));
  const binding = openStoredBinding(store, (store.trust.identity() ?? enrolled.identity).bindingLine);
  const { persons, value } = openEpochConfirmation(enrolled.trust.root().root, binding, line, {
    place: 'confirmation in the answer',
    revokedKeyids: enrolled.trust.revokedKeyids(),
  });
  store.unit(() => {
    enrolled.evidence.append('epoch', { confirmation: embeddedOf(line, 'epochConfirmation'), status: 'confirmed' });
    saveOpenedEpoch(store, { ...opened, status: 'confirmed', confirmedAt: value.issued_at });
    enrolled.recorder.clear('epoch_provisional');
  });
  forgetRotatedKey(context);
  context.log.info('the epoch is confirmed', { origin: enrolled.identity.origin, by: persons.join(', ') });
}

/** Done again at each start, for a process that ended in between. */
export function forgetRotatedKey({ store, config, log }: Pick<DaemonContext, 'store' | 'config' | 'log'>): void {
  const opened = openedEpoch(store);
  if (opened?.status !== 'confirmed' || opened.ordered?.kind !== 'rotate_device_key') return;
  if (removeDeviceKey(join(config.state_dir, 'keys'), opened.epoch - 1)) log.info('the device key before is removed');
}

const embeddedOf = (line: string, name: 'binding' | 'epochConfirmation'): Embedded =>
  toEmbedded(parseEnvelope(line, { maxBytes: maxLineBytes(name) }));
