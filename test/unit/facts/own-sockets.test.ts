import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { readFacts } from '../../../agent/facts/read-facts.ts';
import { probeContext } from '../../support/fixture-facts.ts';

async function ownListeners(): Promise<unknown> {
  const { self } = await readFacts(['self'], probeContext({ procDir: '/proc', pid: process.pid, deadlineMs: 20_000 }));
  if (self?.status !== 'read') throw new Error(JSON.stringify(self));
  return self.value.listeners;
}

describe('the sockets of this very process', () => {
  it('a TCP socket that listens is seen as ours while it is open', async () => {
    const before = await ownListeners();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await ownListeners()).toContainEqual({ protocol: 'tcp', scope: 'loopback', port });
    server.close();
    await once(server, 'close');
    expect(await ownListeners()).toEqual(before);
  });

  it('a bound UDP socket is seen as ours, a connected one is not', async () => {
    const bound = createSocket('udp4').bind(0, '127.0.0.1');
    await once(bound, 'listening');
    const connected = createSocket('udp4');
    connected.connect(bound.address().port, '127.0.0.1');
    await once(connected, 'connect');
    expect(await ownListeners()).toContainEqual({ protocol: 'udp', scope: 'loopback', port: bound.address().port });
    expect(await ownListeners()).not.toContainEqual(expect.objectContaining({ port: connected.address().port }));
    bound.close();
    connected.close();
  });
});
