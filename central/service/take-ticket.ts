// What an appliance tells of one of its tickets. Each update is the whole ticket, so one that is missed is made up for by the next.
import { AgentError } from '../../agent/errors/agent-error.ts';
import { maxLineBytes, parseDocument, payloadDigest } from '../../agent/wire/document.ts';
import { encodeEnvelope, pae, parseEnvelope } from '../../agent/wire/dsse.ts';
import { verifyWithNode } from '../../agent/wire/node-signature.ts';
import { DOCUMENTS } from '../../agent/wire/schemas/payload-types.ts';
import type { TicketUpdate } from '../../agent/wire/schemas/ticket.ts';
import type { BindingRow } from '../store/appliance-table.ts';
import type { Central } from './central.ts';
import { identifyClient, type ClientCertificate } from './identify-client.ts';

/** Of one appliance. Beyond it closed ones go, the oldest first; open ones are never dropped. */
export const MAX_TICKETS = 2_000;

export interface TakenTicket {
  readonly ticket_id: string;
  readonly revision: number;
  /** `known`: it was stored before. `older`: a later revision is stored; this one was passed over. */
  readonly result: 'stored' | 'known' | 'older';
}

/**
 * Stores an update; the answer leaves once it is on the disk.
 *
 * @throws identity_mismatch, appliance_revoked, appliance_decommissioned, signature_invalid, payload_type_mismatch,
 *   ticket_conflict, rate_limited (too many open tickets), the errors of parseEnvelope and parseDocument
 */
export function takeTicket(
  { store, now }: Pick<Central, 'store' | 'now'>,
  client: ClientCertificate,
  body: Uint8Array,
): TakenTicket {
  const binding = identifyClient({ store }, client);
  const { update, digest, line } = openUpdate(binding, body);
  const { appliance_id, ticket_id, revision, state } = update;
  const result = store.unit((): TakenTicket['result'] => {
    const before = store.tickets.get(appliance_id, ticket_id);
    if (before !== null && revision < before.revision) return 'older';
    if (before?.revision === revision) {
      if (before.digest === digest) return 'known';
      throw new AgentError('ticket_conflict', `another revision ${revision} of this ticket is stored`);
    }
    if (before === null && store.tickets.count(appliance_id) >= MAX_TICKETS) {
      if (!store.tickets.dropOldestClosed(appliance_id)) {
        throw new AgentError('rate_limited', `the appliance has ${MAX_TICKETS} open tickets`);
      }
    }
    store.tickets.put({ appliance_id, ticket_id, revision, digest, state, line, received_at: now() });
    return 'stored';
  });
  return { ticket_id, revision, result };
}

/** Signature first; only what the bound device key signed is parsed. */
function openUpdate(
  binding: BindingRow,
  body: Uint8Array,
): { readonly update: TicketUpdate; readonly digest: string; readonly line: string } {
  const envelope = parseEnvelope(body, { maxBytes: maxLineBytes('ticketUpdate') });
  if (envelope.payloadType !== DOCUMENTS.ticketUpdate.payloadType) {
    throw new AgentError('payload_type_mismatch', 'the body is not an update of a ticket');
  }
  const [signature, ...others] = envelope.signatures;
  const data = pae(envelope.payloadType, envelope.payload);
  if (signature === undefined || others.length > 0 || !verifyWithNode(binding.device_spki, data, signature.sig)) {
    throw new AgentError('signature_invalid', 'the update is not signed by the device key of the appliance');
  }
  const update = parseDocument('ticketUpdate', envelope.payload);
  if (update.appliance_id !== binding.appliance_id || update.site_id !== binding.site_id) {
    throw new AgentError('identity_mismatch', 'the update names another appliance or site than its certificate');
  }
  return { update, digest: payloadDigest(envelope), line: encodeEnvelope(envelope) };
}
