// Sends datagrams to a unix socket. Node has no API for that, so libc is called through koffi.
import { createRequire } from 'node:module';
import { AgentError } from '../errors/agent-error.ts';

/** Linux values of socket(2), send(2) and unix(7); the same on x86-64 and arm64. */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SUN_PATH_BYTES = 108;

/** Sends one datagram without waiting. Returns 0, or the system's error number. */
export type SendDatagram = (message: Buffer) => number;

/** `struct sockaddr_un`: family, then the path; a leading `@` means an abstract name (a NUL byte first). */
export function unixAddress(path: string): Buffer {
  const bytes = Buffer.from(path, 'utf8');
  if (bytes.length === 0 || bytes.length >= SUN_PATH_BYTES) {
    throw new AgentError('internal', `a unix socket's name must have 1 to ${SUN_PATH_BYTES - 1} bytes`);
  }
  const isAbstract = bytes[0] === 0x40;
  if (isAbstract) bytes[0] = 0;
  const address = Buffer.alloc(2 + bytes.length + (isAbstract ? 0 : 1));
  address.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(address, 2);
  return address;
}

/** Loads koffi (about 3 MiB) on first use only. The socket stays open for the life of the process. */
export function openDatagramSender(path: string): SendDatagram {
  const address = unixAddress(path);
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const sendto = libc.func(
    'intptr_t sendto(int fd, void *data, size_t size, int flags, void *address, uint32_t address_size)',
  );
  const fd = Number(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd < 0) return () => koffi.errno();
  return (message) => {
    const sent = Number(sendto(fd, message, message.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length));
    return sent === message.length ? 0 : koffi.errno();
  };
}
