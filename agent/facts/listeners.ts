// Reads which sockets of this machine (its network namespace) take what strangers send.
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.ts';
import { readFileLimited } from '../system/files.ts';
import { parseListening, SOCKET_TABLES, type Listener, type ListeningSocket } from './proc-net.ts';
import { Unreadable, type Probe } from './probe.ts';

/** A busy server has some 100,000 lines of 150 bytes. */
const MAX_TABLE_BYTES = 32 * 1024 * 1024;
const MAX_RANGE_BYTES = 100;

export interface ListenerFacts {
  /** Each once, sorted. UDP ports of the ephemeral range are left out: clients of DNS and NTP have them for a moment. */
  readonly listeners: readonly Listener[];
}

/** All listening sockets that `procDir/net` shows. A kernel without IPv6 has no tcp6 and udp6. */
export function readListeningSockets(netDir: string): ListeningSocket[] {
  return SOCKET_TABLES.flatMap((table) => {
    let text: string;
    try {
      text = readFileLimited(join(netDir, table), MAX_TABLE_BYTES).toString('latin1');
    } catch (error) {
      if (table.endsWith('6') && error instanceof AgentError && error.code === 'file_missing') return [];
      throw error;
    }
    const sockets = parseListening(table, text);
    if (sockets === null) throw new Unreadable('unparsable', `/proc/net/${table} is not what proc(5) documents`);
    return sockets;
  });
}

function ephemeralRange(procDir: string): readonly [number, number] {
  const text = readFileLimited(join(procDir, 'sys/net/ipv4/ip_local_port_range'), MAX_RANGE_BYTES).toString('latin1');
  const [low, high] = text.trim().split(/\s+/).map(Number);
  if (low === undefined || high === undefined || !Number.isInteger(low) || !Number.isInteger(high)) {
    throw new Unreadable('unparsable', 'the range of local ports is not two numbers');
  }
  return [low, high];
}

/** Pure: each listener once, in order of protocol, port and scope. */
export function distinctListeners(
  sockets: readonly ListeningSocket[],
  ephemeral: readonly [number, number],
): Listener[] {
  const [low, high] = ephemeral;
  const seen = new Map<string, Listener>();
  for (const { protocol, scope, port } of sockets) {
    if (protocol === 'udp' && port >= low && port <= high) continue;
    seen.set(`${protocol} ${String(port).padStart(5, '0')} ${scope}`, { protocol, scope, port });
  }
  return [...seen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, listener]) => listener);
}

export const listenersProbe: Probe<ListenerFacts> = {
  name: 'listeners',
  async read(context) {
    const procDir = context.procDir ?? '/proc';
    return { listeners: distinctListeners(readListeningSockets(join(procDir, 'net')), ephemeralRange(procDir)) };
  },
};
