// What an appliance tells of one of its tickets. Each update is the whole ticket, so one that is missed is made up for by the next.
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { Central } from './central.ts';
import { identifyClient, type ClientCertificate } from './identify-client.ts';
import { openSignedByDevice } from './open-signed-by-device.ts';

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
 * @throws appliance_revoked, appliance_decommissioned, ticket_conflict, rate_limited (too many open tickets), the errors of
 *   openSignedByDevice
 */
export function takeTicket(
  { store, now }: Pick<Central, 'store' | 'now'>,
  client: ClientCertificate,
  body: Uint8Array,
): TakenTicket {
  const binding = identifyClient({ store }, client);
  const { value: update, digest, line } = openSignedByDevice('ticketUpdate', binding, body);
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
