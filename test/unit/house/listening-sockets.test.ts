// The demo and the tests of the daemon ask tools/demo/listening-sockets.ts; it has to find what is there.
import { createSocket } from 'node:dgram';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { listeningSockets } from '../../../tools/demo/listening-sockets.ts';

const tablesAt = (port: number): string[] => {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return listeningSockets(process.pid)
    .filter(({ local }) => local.endsWith(`:${hex}`))
    .map(({ table }) => table);
};

describe('the search for listening sockets', () => {
  const hasIPv6 = Object.values(networkInterfaces()).some((of) => of?.some(({ address }) => address === '::1'));
  const families = <T extends readonly string[]>(four: T, six: T): T[] => (hasIPv6 ? [four, six] : [four]);

  it.each(families(['127.0.0.1', 'tcp'], ['::1', 'tcp6']))(
    'finds a TCP socket that listens on %s, and not the connections to it',
    async (host, table) => {
      const server = createServer();
      server.listen(0, host);
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const client = connect(port, host);
      const [accepted] = (await once(server, 'connection')) as [{ destroy(): void }];
      expect(tablesAt(port)).toEqual([table]);
      client.destroy();
      accepted.destroy();
      server.close();
      await once(server, 'close');
      expect(tablesAt(port)).toEqual([]);
    },
  );

  it.each(families<['udp4' | 'udp6', string, string]>(['udp4', '127.0.0.1', 'udp'], ['udp6', '::1', 'udp6']))(
    'finds a bound %s socket, and not a connected one',
    async (type, host, table) => {
      const bound = createSocket(type);
      bound.bind(0, host);
      await once(bound, 'listening');
      const { port } = bound.address();
      const client = createSocket(type);
      client.connect(port, host);
      await once(client, 'connect');
      expect(tablesAt(port)).toEqual([table]);
      expect(tablesAt(client.address().port)).toEqual([]);
      bound.close();
      client.close();
    },
  );

  it('throws for a process that is not there, so that nobody takes it for one without sockets', () => {
    expect(() => listeningSockets(2 ** 22 + 7)).toThrow('ENOENT');
    expect(() => listeningSockets(-1)).toThrow('ENOENT');
  });
});
