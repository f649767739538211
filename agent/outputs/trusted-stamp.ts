// Whether the newest timestamp that is kept counts as a voucher of its own, as whoever verifies with the same certificates would say.
import { isAgentError } from '../errors/agent-error.ts';
import { logTree } from '../evidence/log-tree.ts';
import type { Store } from '../store/open-store.ts';
import { openTimestamp } from '../trust/open-timestamp.ts';
import { stampedText } from '../wire/timestamp.ts';

/** What a trusted authority has stamped. */
export interface TrustedStamp {
  readonly origin: string;
  readonly size: number;
  /** When the authority says, Unix seconds. */
  readonly at: number;
}

/**
 * One signature and one tree root: for when a timestamp comes in or the daemon starts, not for each look.
 *
 * @param authorities PEM certificates that the authority must lead to
 * @returns null where none is kept, or the newest is over another root than the log has there, or no such authority signed it
 */
export function trustedStamp(
  store: Store,
  { origin, epoch }: { readonly origin: string; readonly epoch: number },
  authorities: readonly string[],
): TrustedStamp | null {
  const last = store.timestamps.latest(origin);
  if (last === null) return null;
  try {
    const data = stampedText(origin, last.size, Buffer.from(logTree(store, epoch).rootAt(last.size), 'hex'));
    return { origin, size: last.size, at: openTimestamp(last.response, { data, authorities }).time };
  } catch (error) {
    if (isAgentError(error)) return null;
    throw error;
  }
}
