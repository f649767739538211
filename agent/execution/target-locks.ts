// Who is at work on which target. One at a time on a target; one change at a time at the whole site. In memory: a process that
// ended holds nothing.

export interface TargetLocks {
  /** Waits until nobody else is at work on the target, first come, first served. Rejects with the signal's reason. */
  hold(targetId: string, signal: AbortSignal): Promise<() => void>;
  /** The site's one change; null while there is another. */
  tryChange(): (() => void) | null;
  /** True while somebody is at work on the target. */
  isBusy(targetId: string): boolean;
  /** True while somebody waits for whoever is at work on the target. */
  isAwaited(targetId: string): boolean;
}

export function createTargetLocks(): TargetLocks {
  /** The end of the last in line, by target. */
  const lines = new Map<string, Promise<void>>();
  /** How many are at work or in line, by target. */
  const present = new Map<string, number>();
  const count = (targetId: string, by: 1 | -1): void => {
    const now = (present.get(targetId) ?? 0) + by;
    if (now === 0) present.delete(targetId);
    else present.set(targetId, now);
  };
  let changing = false;

  return {
    async hold(targetId, signal) {
      signal.throwIfAborted();
      const before = lines.get(targetId) ?? Promise.resolve();
      const own = Promise.withResolvers<void>();
      count(targetId, 1);
      void own.promise.then(() => count(targetId, -1));
      const end = before.then(() => own.promise);
      lines.set(targetId, end);
      void end.then(() => {
        if (lines.get(targetId) === end) lines.delete(targetId);
      });
      const aborted = Promise.withResolvers<never>();
      const onAbort = (): void => aborted.reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        await Promise.race([before, aborted.promise]);
      } catch (error) {
        own.resolve();
        throw error;
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
      return own.resolve;
    },
    tryChange() {
      if (changing) return null;
      changing = true;
      let released = false;
      return () => {
        if (!released) changing = false;
        released = true;
      };
    },
    isBusy: (targetId) => lines.has(targetId),
    isAwaited: (targetId) => (present.get(targetId) ?? 0) > 1,
  };
}
