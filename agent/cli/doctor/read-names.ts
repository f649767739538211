// Everything that is asked of DNS in one go: Central Command's name the system's way and of each server, and names that do
// not exist, to see whether somebody answers for them.
import { randomBytes } from 'node:crypto';
import { readFileLimited } from '../../system/files.ts';
import type { Exec } from '../../system/ports.ts';
import { askServer, systemLookup, type ServerReply, type SystemLookup } from './ask-dns.ts';
import { parseResolvConf, type NameServer } from './name-servers.ts';

const RESOLV_CONF = '/etc/resolv.conf';
const MAX_RESOLV_CONF_BYTES = 65_536;

export interface ServerReading {
  readonly server: NameServer;
  /** For Central Command's name. */
  readonly v4: ServerReply;
  readonly v6: ServerReply;
  /** For names that nobody has: one that cannot exist by RFC 6761, one that looks like any web site. */
  readonly madeUp: readonly ServerReply[];
}

export interface NameReading {
  readonly hostname: string;
  /** The system's way; null where a DNS server was named on the command line. */
  readonly system: SystemLookup | null;
  readonly servers: readonly ServerReading[];
}

/** @param only ask this server and leave the system's way out */
export async function readNames(
  hostname: string,
  only: NameServer | null,
  exec: Exec,
  signal: AbortSignal,
): Promise<NameReading> {
  const label = randomBytes(10).toString('hex');
  const madeUp = [`${label}.invalid`, `www.ca${label}.com`];
  const servers = only === null ? configuredServers() : [only];
  const [system, ...readings] = await Promise.all([
    only === null ? systemLookup(exec, hostname, signal) : null,
    ...servers.map(async (server): Promise<ServerReading> => {
      const [v4, v6, ...others] = await Promise.all([
        askServer(server, hostname, 'A', signal),
        askServer(server, hostname, 'AAAA', signal),
        ...madeUp.map((name) => askServer(server, name, 'A', signal)),
      ]);
      return { server, v4, v6, madeUp: others };
    }),
  ]);
  return { hostname, system, servers: readings };
}

function configuredServers(): NameServer[] {
  try {
    return parseResolvConf(readFileLimited(RESOLV_CONF, MAX_RESOLV_CONF_BYTES).toString('latin1'));
  } catch {
    // No file: the C library then asks this machine itself, which the system's way shows.
    return [];
  }
}
