import { describe, expect, it } from 'vitest';
import type { HttpsClient, HttpsResponse } from '../../../agent/https/client.ts';
import { swappableClient } from '../../../agent/https/swappable-client.ts';

const REQUEST = { method: 'GET', path: '/', deadlineMs: 1_000, maxResponseBytes: 10 } as const;
const response = (name: string): HttpsResponse => ({
  status: 200,
  headers: {},
  body: Buffer.from(name),
  bytesSent: 0,
  bytesReceived: 0,
  caPin: '',
});

/** A client whose requests end when the test says so. */
function heldClient(name: string) {
  const waiting: (() => void)[] = [];
  let closed = 0;
  const client: HttpsClient = {
    host: name,
    request: () =>
      new Promise((resolve) => {
        waiting.push(() => resolve(response(name)));
      }),
    close: () => {
      closed += 1;
      return Promise.resolve();
    },
  };
  return { client, release: () => waiting.shift()?.(), closed: () => closed };
}

describe('a connection that is exchanged while requests are under way', () => {
  it('lets them end on the old one, takes the new one for the next, and then closes the old one', async () => {
    const [old, next] = [heldClient('old'), heldClient('next')];
    const https = swappableClient(old.client);
    const first = https.request(REQUEST);
    const second = https.request(REQUEST);
    https.swap(next.client);
    const third = https.request(REQUEST);
    next.release();
    expect((await third).body.toString()).toBe('next');
    expect(old.closed()).toBe(0);
    old.release();
    await first;
    expect(old.closed()).toBe(0);
    old.release();
    expect((await second).body.toString()).toBe('old');
    expect([old.closed(), next.closed(), https.host]).toEqual([1, 0, 'next']);
  });

  it('closes an idle old one at once, and everything that is open at the end', async () => {
    const [old, next, last] = [heldClient('old'), heldClient('next'), heldClient('last')];
    const https = swappableClient(old.client);
    https.swap(next.client);
    expect(old.closed()).toBe(1);
    const pending = https.request(REQUEST);
    https.swap(last.client);
    await https.close();
    expect([next.closed(), last.closed()]).toEqual([1, 1]);
    next.release();
    await pending;
  });
});
