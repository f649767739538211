// A unix datagram socket that receives: what systemd is to the agent. Node has none, so libc is called through koffi.
import koffi from 'koffi';
import { unixAddress } from '../../agent/system/unix-datagram.ts';

const MSG_DONTWAIT = 0x40;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;

export interface DatagramReceiver {
  /** What has arrived so far, oldest first. */
  received(): string[];
  close(): void;
}

/** @param path a path, or `@name` for an abstract socket */
export function receiveDatagrams(path: string): DatagramReceiver {
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const bind = libc.func('int bind(int fd, void *address, uint32_t size)');
  const recv = libc.func('intptr_t recv(int fd, void *buffer, size_t size, int flags)');
  const close = libc.func('int close(int fd)');
  const fd = Number(socket(AF_UNIX, SOCK_DGRAM, 0));
  const address = unixAddress(path);
  if (Number(bind(fd, address, address.length)) !== 0) throw new Error(`bind failed: ${koffi.errno()}`);
  return {
    received() {
      const messages: string[] = [];
      for (;;) {
        const buffer = Buffer.alloc(65_536);
        const size = Number(recv(fd, buffer, buffer.length, MSG_DONTWAIT));
        if (size < 0) return messages;
        messages.push(buffer.toString('utf8', 0, size));
      }
    },
    close: () => void close(fd),
  };
}
