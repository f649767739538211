// Which DNS servers this machine asks: resolv.conf(5). Pure.
import { isIP } from 'node:net';

export interface NameServer {
  readonly address: string;
  readonly port: number;
}

const DNS_PORT = 53;
/** glibc asks no more than the first three. */
const MAX_NAME_SERVERS = 3;

export const showServer = (server: NameServer): string =>
  server.port === DNS_PORT ? server.address : `${server.address} port ${server.port}`;

/** The servers that the C library would ask, in its order. Lines that it would not read are left out. */
export function parseResolvConf(text: string): NameServer[] {
  return text
    .split('\n')
    .flatMap((line) => {
      const [keyword, address = ''] = line.trim().split(/\s+/);
      const plain = address.split('%')[0] ?? '';
      return keyword === 'nameserver' && isIP(plain) !== 0 ? [{ address, port: DNS_PORT }] : [];
    })
    .slice(0, MAX_NAME_SERVERS);
}

/** `address`, `address:port`, `[address]:port`; null for anything else. */
export function parseNameServer(text: string): NameServer | null {
  const parts =
    /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*))(?::(\d{1,5}))?$/.exec(text);
  const address = parts?.[1] ?? parts?.[2] ?? parts?.[3] ?? '';
  const port = Number(parts?.[4] ?? DNS_PORT);
  return isIP(address) === 0 || port < 1 || port > 65_535 ? null : { address, port };
}
