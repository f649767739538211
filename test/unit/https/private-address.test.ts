// Which addresses are a site's own, and that no name or address elsewhere is connected to where only those may be.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isLoopbackLiteral, isPrivateAddress, privateLookup } from '../../../agent/https/private-address.ts';
import { sendPublic } from '../../../agent/https/send-public.ts';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expectCodeAsync } from '../../support/expect-code.ts';

const signal = new AbortController().signal;
const ask = async (url: string, reach: 'private' | 'anywhere') =>
  sendPublic({
    ...{ url: new URL(url), headers: {}, body: Buffer.from('{}'), caPem: null, deadlineMs: 30_000 },
    ...{ maxResponseBytes: 1_000, signal, reach },
  });

let server: Server;
let seen = 0;
const port = (): number => (server.address() as AddressInfo).port;

beforeAll(async () => {
  server = createServer((_request, response) => {
    seen += 1;
    response.end('here');
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => void server.close());

describe('an address of the site', () => {
  it.each([
    ...['127.0.0.1', '127.255.0.9', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.7.7', '::1', 'fd00::7'],
    '::ffff:10.0.0.1',
  ])('is %s', (address) => expect(isPrivateAddress(address)).toBe(true));

  it.each([
    ...[
      '8.8.8.8',
      '172.32.0.1',
      '172.15.255.255',
      '192.169.0.1',
      '11.0.0.1',
      '169.254.169.254',
      '0.0.0.0',
      '100.64.0.1',
    ],
    ...['2001:db8::1', 'fe80::1', '::', '::ffff:8.8.8.8', '10.0.0', '10.0.0.1.example', 'localhost', ''],
  ])('is not %j', (address) => expect(isPrivateAddress(address)).toBe(false));

  it('is this machine only as the address itself, not as a name that begins like one', () => {
    expect(['127.0.0.1', '[::1]', '::1'].map(isLoopbackLiteral)).toEqual([true, true, true]);
    const others = ['localhost', '127.0.0.1.evil.example', 'localhost.evil.example', '127.0.0.2', '[::ffff:127.0.0.1]'];
    expect(others.map(isLoopbackLiteral)).toEqual(others.map(() => false));
  });
});

describe('where only the site may be reached', () => {
  it('a name is connected to where all its addresses are the site’s, and refused otherwise', async () => {
    const resolved = (name: string): Promise<unknown> =>
      new Promise((resolve, reject) =>
        privateLookup(name, { all: true }, (error, found) => (error === null ? resolve(found) : reject(error))),
      );
    expect(await resolved('localhost')).not.toEqual([]);
    await expectCodeAsync(resolved('203.0.113.7'), 'address_not_private');
  });

  it('an address elsewhere is refused before anything is sent', async () => {
    await expectCodeAsync(ask('https://203.0.113.7/v1', 'private'), 'address_not_private');
    await expectCodeAsync(ask('https://[2001:db8::7]/v1', 'private'), 'address_not_private');
  });

  it('plain HTTP goes to this machine itself, and nowhere else', async () => {
    expect((await ask(`http://127.0.0.1:${port()}/v1`, 'private')).body.toString()).toBe('here');
    const before = seen;
    await expectCodeAsync(ask(`http://127.0.0.1:${port()}/v1`, 'anywhere'), 'url_invalid');
    await expectCodeAsync(ask(`http://localhost:${port()}/v1`, 'private'), 'url_invalid');
    await expectCodeAsync(ask(`http://10.0.0.1:${port()}/v1`, 'private'), 'url_invalid');
    expect(seen).toBe(before);
  });
});
