// Asks the system for the addresses of names: as the daemon does, through resolv.conf and /etc/hosts, over loopback.
import { lookup } from 'node:dns/promises';
import type { Clock } from '../system/ports.ts';
import type { Resolved } from './plan-doors.ts';

/** For all names together: what has not answered by then is left for the next turn. */
const RESOLVE_WITHIN_MS = 20_000;

export async function resolveNames(
  names: readonly string[],
  clock: Pick<Clock, 'sleep'>,
): Promise<ReadonlyMap<string, Resolved>> {
  const found = new Map<string, Resolved>(names.map((name) => [name, { problem: 'was not resolved in time' }]));
  const ended = new AbortController();
  const asked = names.map(async (name) => {
    try {
      const addresses = (await lookup(name, { all: true, verbatim: true })).map(({ address }) => address);
      found.set(name, { addresses });
    } catch (error) {
      const errno = (error as NodeJS.ErrnoException).code ?? 'unknown';
      found.set(name, { problem: `does not resolve (${errno})` });
    }
  });
  const late = clock.sleep(RESOLVE_WITHIN_MS, ended.signal).catch(() => undefined);
  await Promise.race([Promise.all(asked), late]);
  ended.abort();
  // What comes later changes nothing any more.
  return new Map(found);
}
