// A client whose connection can be exchanged for another while requests are under way: the certificate of an appliance is
// renewed every day, and no upload is to be cut off for it.
import type { HttpsClient } from './client.ts';

export interface SwappableClient extends HttpsClient {
  /** Requests from now on go through `next`. Those under way end on the old client, which is closed after the last of them. */
  swap(next: HttpsClient): void;
}

interface Used {
  readonly client: HttpsClient;
  inFlight: number;
}

export function swappableClient(first: HttpsClient): SwappableClient {
  let current: Used = { client: first, inFlight: 0 };
  /** The current one, and older ones that still have requests under way. */
  const open = new Set<Used>([current]);
  let closed = false;

  const closeOne = async (used: Used): Promise<void> => {
    open.delete(used);
    await used.client.close();
  };

  return {
    get host() {
      return current.client.host;
    },
    async request(o) {
      const used = current;
      used.inFlight += 1;
      try {
        return await used.client.request(o);
      } finally {
        used.inFlight -= 1;
        if (used !== current && used.inFlight === 0) await closeOne(used);
      }
    },
    swap(next) {
      const before = current;
      current = { client: next, inFlight: 0 };
      open.add(current);
      if (closed) void closeOne(current);
      if (before.inFlight === 0) void closeOne(before);
    },
    async close() {
      closed = true;
      await Promise.all([...open].map(closeOne));
    },
  };
}
