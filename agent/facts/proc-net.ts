// Reads /proc/net/{tcp,tcp6,udp,udp6} (proc_pid_net(5)). Pure.

export type SocketTable = 'tcp' | 'tcp6' | 'udp' | 'udp6';
export const SOCKET_TABLES: readonly SocketTable[] = ['tcp', 'tcp6', 'udp', 'udp6'];

/** Whom a socket listens to: everybody, this machine only, or one of its addresses. Addresses themselves are not kept. */
export type ListenScope = 'any' | 'loopback' | 'address';

export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  readonly scope: ListenScope;
  readonly port: number;
}

export interface ListeningSocket extends Listener {
  readonly inode: string;
}

/** include/net/tcp_states.h; UDP sockets without a peer show TCP_CLOSE. */
const TCP_LISTEN = '0A';
const UDP_UNCONNECTED = '07';

function scopeOf(hexAddress: string): ListenScope {
  if (/^0+$/.test(hexAddress)) return 'any';
  // Each 32-bit word is in host order, which is little-endian on the machines that we run on.
  if (hexAddress.length === 8) return hexAddress.endsWith('7F') ? 'loopback' : 'address';
  if (hexAddress === '00000000000000000000000001000000') return 'loopback';
  if (/^0{16}FFFF0000[0-9A-F]{6}7F$/.test(hexAddress)) return 'loopback';
  return /^0{16}FFFF00000{8}$/.test(hexAddress) ? 'any' : 'address';
}

/** Sockets that take what strangers send: TCP in LISTEN, UDP bound without a peer. Null where the text is no such table. */
export function parseListening(table: SocketTable, text: string): ListeningSocket[] | null {
  const [header, ...lines] = text.split('\n');
  if (header === undefined || !header.includes('local_address')) return null;
  const protocol = table.startsWith('tcp') ? 'tcp' : 'udp';
  const wanted = protocol === 'tcp' ? TCP_LISTEN : UDP_UNCONNECTED;
  const sockets: ListeningSocket[] = [];
  for (const line of lines) {
    if (line.trim() === '') continue;
    const fields = line.trim().split(/\s+/);
    const local = /^((?:[0-9A-F]{8}){1,4}):([0-9A-F]{4})$/.exec(fields[1] ?? '');
    const [state, inode] = [fields[3], fields[9]];
    const [address, port] = [local?.[1], local?.[2]];
    if (address === undefined || port === undefined || state === undefined || inode === undefined) return null;
    if (state !== wanted) continue;
    sockets.push({ protocol, scope: scopeOf(address), port: Number.parseInt(port, 16), inode });
  }
  return sockets;
}

/** Sorted, each once: `tcp-any-22`. */
export function describeListeners(listeners: readonly Listener[]): string[] {
  return [...new Set(listeners.map((l) => `${l.protocol}-${l.scope}-${l.port}`))].sort();
}
