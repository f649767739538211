// People vouch for a provisional epoch: as many operators as the root asks for sign that this binding counts.
import { AgentError } from '../errors/agent-error.ts';
import type { Envelope } from '../wire/dsse.ts';
import type { Root } from '../wire/schemas/root.ts';
import { openDocument, type Opened } from './open-document.ts';
import type { RoleOptions } from './verify-role.ts';

/**
 * Verifies a confirmation of the epoch that `binding` opens. Keys that are limited to sites sign none.
 *
 * @throws the errors of openDocument (threshold_not_met: too few persons); epoch_unconfirmed
 */
export function openEpochConfirmation(
  root: Root,
  binding: Pick<Opened<'binding'>, 'value' | 'digest'>,
  source: string | Envelope,
  o: Omit<RoleOptions, 'siteId'> = {},
): Opened<'epochConfirmation'> {
  const opened = openDocument(root, 'operator', 'epochConfirmation', source, o);
  const { value } = opened;
  const bound = binding.value;
  const same =
    value.partner_id === bound.partner_id &&
    value.site_id === bound.site_id &&
    value.appliance_id === bound.appliance_id &&
    value.origin === bound.origin &&
    value.binding_sha256 === binding.digest;
  if (same) return opened;
  throw new AgentError('epoch_unconfirmed', 'the confirmation is for another epoch', {
    ...(o.place === undefined ? {} : { place: o.place }),
  });
}
