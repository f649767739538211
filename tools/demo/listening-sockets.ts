// Sockets of one process that others could connect or send to, read from /proc by code of its own: the agent's `self` check
// looks at the same thing, and one should not vouch for the other.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface OpenSocket {
  readonly table: string;
  /** Local address and port as the kernel prints them. */
  readonly local: string;
  readonly inode: string;
}

/** TCP state LISTEN; an unconnected UDP socket has state 07. */
const LISTEN = '0A';
const UNCONNECTED = '07';

/** Listening TCP and unconnected UDP sockets that `pid` holds. Throws when its descriptors cannot be read. */
export function listeningSockets(pid: number): OpenSocket[] {
  const fds = join('/proc', String(pid), 'fd');
  const inodes = new Set(readdirSync(fds).flatMap((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(join(fds, fd)))?.[1] ?? []));
  return ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((table) =>
    readFileSync(join('/proc', String(pid), 'net', table), 'utf8')
      .split('\n')
      .slice(1)
      .flatMap((row) => {
        const [, local = '', remote = '', state, , , , , , inode = ''] = row.trim().split(/\s+/);
        const open = table.startsWith('tcp') ? state === LISTEN : state === UNCONNECTED && /:0000$/.test(remote);
        return open && inodes.has(inode) ? [{ table, local, inode }] : [];
      }),
  );
}

/** Descriptors come and go while they are read. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
