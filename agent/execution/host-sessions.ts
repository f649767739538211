// How many sessions one host has to bear at once, whoever opens them.

/** Two: a look may come in between the phases of a run, and both share the host's shells and memory. */
const MAX_SESSIONS_PER_HOST = 2;

export interface HostSessions {
  /** Waits for one of the host's places, first come, first served; what comes back gives it up, once. Rejects with the signal's reason. */
  take(host: string, signal: AbortSignal): Promise<() => void>;
}

export function createHostSessions(most: number = MAX_SESSIONS_PER_HOST): HostSessions {
  const open = new Map<string, number>();
  const waiting = new Map<string, (() => void)[]>();

  const give = (host: string): void => {
    const next = waiting.get(host)?.shift();
    if (waiting.get(host)?.length === 0) waiting.delete(host);
    // The place goes over to whoever waited longest.
    if (next !== undefined) return next();
    const left = (open.get(host) ?? 0) - 1;
    if (left > 0) open.set(host, left);
    else open.delete(host);
  };
  const once = (host: string): (() => void) => {
    let given = false;
    return () => {
      if (!given) give(host);
      given = true;
    };
  };

  return {
    async take(host, signal) {
      signal.throwIfAborted();
      const taken = open.get(host) ?? 0;
      if (taken < most) {
        open.set(host, taken + 1);
        return once(host);
      }
      const line = waiting.get(host) ?? [];
      waiting.set(host, line);
      const turn = Promise.withResolvers<void>();
      const mine = (): void => turn.resolve();
      line.push(mine);
      const leave = (): void => {
        const at = line.indexOf(mine);
        if (at === -1) return;
        line.splice(at, 1);
        if (line.length === 0) waiting.delete(host);
        turn.reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      try {
        await turn.promise;
      } finally {
        signal.removeEventListener('abort', leave);
      }
      return once(host);
    },
  };
}
