// An appliance that cannot go on with its log opens the next epoch itself. The key of the epoch before vouches for the new key;
// the registrar binds it as provisional, and people are told.
import { AgentError } from '../../agent/errors/agent-error.ts';
import { openSuccession, PROVISIONAL_INTERVAL_S } from '../../agent/trust/succession.ts';
import { encodeEnvelope, envelopeFromEmbedded } from '../../agent/wire/dsse.ts';
import type { CheckinRequest } from '../../agent/wire/schemas/checkin.ts';
import type { Succession } from '../../agent/wire/schemas/enrolment.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import { bind, witnessedOf } from './bind-appliance.ts';
import type { Central } from './central.ts';
import { readBinding } from './read-binding.ts';

/** Approver in the binding of an epoch that nobody has confirmed. */
const NOBODY = 'unconfirmed';

/**
 * Check-ins in a row that the bound device key has to miss before the TLS key alone may name another. An appliance whose device
 * key is lost waits for as long; who holds a copy of the TLS key gets no epoch while the appliance is there.
 */
export const SILENT_INTERVALS = 15;

/** Whose word an alarm of this kind is. */
const FOUND_BY_APPLIANCE = 'said by the appliance';

/**
 * The succession that a request presents, verified under the newest binding; null where it presents none.
 *
 * @throws the errors of openSuccession
 */
export function presentedSuccession(current: BindingRow, request: CheckinRequest): Succession | null {
  const presented = request.epoch_state?.succession;
  if (request.epoch_state?.status !== 'unbound' || presented === undefined) return null;
  return openSuccession(readBinding(current).value, envelopeFromEmbedded(presented));
}

/**
 * Binds the epoch that a verified succession names; within the caller's transaction.
 *
 * @throws epoch_too_soon
 */
export function bindSuccessor(
  central: Pick<Central, 'store' | 'trust' | 'keys' | 'now' | 'intervals'>,
  current: BindingRow,
  succession: Succession,
  request: CheckinRequest,
): BindingRow {
  const { store } = central;
  const now = central.now();
  const since = now - lastProvisionalAt(store, current.appliance_id);
  if (since < PROVISIONAL_INTERVAL_S) {
    throw new AgentError('epoch_too_soon', `the last provisional epoch was opened ${since} s ago`);
  }
  const silent = now - (store.checkins.status(current.appliance_id)?.last_checkin_at ?? 0);
  if (succession.signed_with === 'tls' && silent < SILENT_INTERVALS * central.intervals.checkinS) {
    throw new AgentError('epoch_too_soon', `the device key, which is said to be lost, was used ${silent} s ago`);
  }
  const row = bind(central, {
    site_id: current.site_id,
    customer_id: current.customer_id,
    appliance_id: current.appliance_id,
    epoch: current.epoch + 1,
    origin: succession.new_origin,
    device_spki: succession.new_device_spki,
    tls_spki: current.tls_spki,
    approver: NOBODY,
    status: 'provisional',
    previous: witnessedOf(central, current.origin),
  });
  const ended = request.epoch_state?.ended;
  const cause = ended?.cause ?? 'unknown';
  const presented = request.epoch_state?.succession;
  store.epochs.addSuccession({
    origin: row.origin,
    appliance_id: row.appliance_id,
    old_origin: current.origin,
    line: presented === undefined ? '' : encodeEnvelope(envelopeFromEmbedded(presented)),
    cause,
    own_size: ended?.own_size ?? null,
    own_root: ended?.own_root ?? null,
    opened_at: now,
  });
  const ordered = orderedBy(central, current.appliance_id, cause);
  store.alarms.raise('epoch_provisional', row.origin, `${cause}${ordered}; follows ${current.origin}`, now);
  if (cause === 'log_rewound' || cause === 'log_forked') {
    store.alarms.raise(cause, current.origin, FOUND_BY_APPLIANCE, now);
  }
  return row;
}

/** What an appliance says when people ordered the epoch, and the order that it means. */
const ORDERED: Readonly<Record<string, string>> = {
  device_key_rotated: 'rotate_device_key',
  epoch_ordered: 'new_epoch',
};

/** Who authorised what the appliance says it was ordered; for the people who are asked to confirm the epoch. */
function orderedBy({ store }: Pick<Central, 'store'>, applianceId: string, cause: string): string {
  const kind = ORDERED[cause];
  if (kind === undefined) return '';
  const found = store.authorisations
    .of(applianceId)
    .find((row) => row.kind === kind && store.authorisations.orders(row.authorisation_id).length > 0);
  return found === undefined
    ? ', and nothing of the kind was ordered here'
    : `, authorised by ${found.persons.split(' ').join(' and ')}`;
}

/** Unix seconds; 0 before the first. */
function lastProvisionalAt(store: Central['store'], applianceId: string): number {
  const provisional = store.appliances
    .bindings(applianceId)
    .find((row) => readBinding(row).value.status === 'provisional');
  return provisional?.issued_at ?? 0;
}
