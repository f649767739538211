// People vouch for an epoch that an appliance opened itself: as many operators as the trust root asks for, each with a key of
// their own. They may sign one after the other; nothing is confirmed before the last one that is needed.
import { AgentError } from '../../agent/errors/agent-error.ts';
import { openEpochConfirmation } from '../../agent/trust/epoch-confirmation.ts';
import { revokedKeyids } from '../../agent/trust/revocations.ts';
import { encodeDocument, parseDocument } from '../../agent/wire/document.ts';
import { encodeEnvelope, signEnvelope, type Envelope } from '../../agent/wire/dsse.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import type { PersonSigner } from '../keys/person-keys.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { Records } from './central.ts';
import { readBinding } from './read-binding.ts';

export interface EpochConfirmed {
  readonly origin: string;
  /** Who has signed so far. */
  readonly persons: readonly string[];
  /** How many have to. */
  readonly needed: number;
  readonly confirmed: boolean;
}

/** `provisional` until as many people as needed have confirmed it. */
export function epochStatus(store: Records['store'], row: BindingRow): 'confirmed' | 'provisional' {
  return readBinding(row).value.status === 'confirmed' || store.epochs.confirmed(row.origin) !== null
    ? 'confirmed'
    : 'provisional';
}

/**
 * Adds the signatures of `signers` to those that there are, and confirms the newest epoch once they are enough.
 *
 * @throws appliance_unknown, usage (there is nothing to confirm), draft_invalid (the stored draft says something else)
 */
export function confirmEpoch(
  { store, trust, now }: Records,
  applianceId: string,
  signers: readonly PersonSigner[],
): EpochConfirmed {
  const { root } = trust.root();
  const needed = root.roles.operator.threshold;
  return store.unit(() => {
    const row = store.appliances.binding(applianceId);
    if (row === null) throw new AgentError('appliance_unknown', `nothing is enrolled as ${applianceId}`);
    const binding = readBinding(row);
    if (binding.value.status !== 'provisional') {
      throw new AgentError('usage', `epoch ${row.epoch} of ${applianceId} is not provisional`);
    }
    const done = store.epochs.confirmed(row.origin);
    if (done !== null) return { origin: row.origin, persons: done.persons.split(' '), needed, confirmed: true };
    const at = now();
    const { origin } = row;
    const confirmationAt = (issued_at: number): Buffer =>
      encodeDocument('epochConfirmation', {
        schema: 'compliance-agent/epoch-confirmation/v1',
        partner_id: binding.value.partner_id,
        site_id: row.site_id,
        appliance_id: applianceId,
        origin,
        binding_sha256: binding.digest,
        issued_at,
      });
    const payload = Buffer.from(store.epochs.draft(origin, confirmationAt(at).toString('utf8'), at));
    // Whoever can write the database must not choose what people put their keys to.
    const drafted = parseDocument('epochConfirmation', payload, 'stored draft of the confirmation');
    if (!payload.equals(confirmationAt(drafted.issued_at))) {
      throw new AgentError('draft_invalid', `the stored draft is not a confirmation of epoch ${row.epoch}`, {
        place: origin,
      });
    }
    const { payloadType } = DOCUMENTS.epochConfirmation;
    for (const { person, signer } of signers) {
      const [signature] = signEnvelope(payloadType, payload, [signer]).signatures;
      if (signature === undefined) continue;
      store.epochs.sign(origin, { person, keyid: signature.keyid, sig: signature.sig.toString('base64') }, at);
    }
    const rows = store.epochs.signatures(origin);
    const envelope: Envelope = {
      payload,
      payloadType,
      signatures: rows.map(({ keyid, sig }) => ({ keyid, sig: Buffer.from(sig, 'base64') })),
    };
    const persons = rows.map(({ person }) => person);
    if (persons.length < needed) return { origin, persons, needed, confirmed: false };
    const opened = openEpochConfirmation(root, binding, envelope, {
      revokedKeyids: revokedKeyids(trust.revocations()?.value ?? null),
    });
    store.epochs.confirm({ origin, line: encodeEnvelope(envelope), persons: opened.persons.join(' '), at });
    store.alarms.clear('epoch_provisional', origin, at);
    return { origin, persons: opened.persons, needed, confirmed: true };
  });
}
